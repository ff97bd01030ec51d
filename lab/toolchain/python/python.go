// Package python pins the module whose files are CPython for several platforms. The lab unpacks them itself, because the
// module offers only those of the platform it is compiled for.
package python

import _ "github.com/kluctl/go-embed-python/embed_util"
