// Command embedded-python unpacks CPython from the Go module go-embed-python, which carries builds of it for several
// platforms as compressed files. The module's own packages unpack only what they are compiled for, and copies instead of
// symbolic links; so this reads its files.
//
//	go run . linux-amd64|linux-arm64|pip <folder>
//
// CPython's folder is laid out as below /usr/local; pip's is for lib/python3.12/site-packages. Run it in this folder.
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	// Keeps the module in go.mod.
	_ "github.com/kluctl/go-embed-python/embed_util"
)

const module = "github.com/kluctl/go-embed-python"

// contents are the module's folders of files, by what they hold.
var contents = map[string]string{
	"linux-amd64": "python/internal/data/linux-amd64",
	"linux-arm64": "python/internal/data/linux-arm64",
	"pip":         "pip/internal/data",
}

// entry is one of a folder's files.json.
type entry struct {
	Name       string      `json:"name"`
	Size       int64       `json:"size"`
	Mode       fs.FileMode `json:"perm"`
	Symlink    string      `json:"symlink"`
	Compressed bool        `json:"compressed"`
}

func main() {
	if len(os.Args) != 3 || contents[os.Args[1]] == "" {
		fmt.Fprintln(os.Stderr, "usage: embedded-python linux-amd64|linux-arm64|pip <folder>")
		os.Exit(64)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "embedded-python: %v\n", err)
		os.Exit(1)
	}
}

func run(content, destination string) error {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		return fmt.Errorf("finding the module %s: %w", module, err)
	}
	return unpack(filepath.Join(strings.TrimSpace(string(output)), contents[content]), destination)
}

// unpack writes what source's files.json lists, and nothing else, into destination. Modes are 755 for folders and
// executables and 644 for the rest, whatever the umask and the module cache say.
func unpack(source, destination string) error {
	text, err := os.ReadFile(filepath.Join(source, "files.json"))
	if err != nil {
		return err
	}
	var list struct {
		Files []entry `json:"files"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("%s/files.json: %w", source, err)
	}
	if err := folder(destination); err != nil {
		return err
	}
	// Sorted by name: a folder comes before what is in it.
	for _, file := range list.Files {
		target := filepath.Join(destination, file.Name)
		switch {
		case !filepath.IsLocal(file.Name):
			err = fmt.Errorf("%s is outside of the folder", file.Name)
		case file.Mode.IsDir():
			err = folder(target)
		case file.Mode.Type() == fs.ModeSymlink:
			err = os.Symlink(file.Symlink, target)
		default:
			err = write(source, file, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func folder(name string) error {
	if err := os.MkdirAll(name, 0o755); err != nil {
		return err
	}
	return os.Chmod(name, 0o755)
}

func write(source string, file entry, target string) error {
	name := filepath.Join(source, file.Name)
	if file.Compressed {
		name += ".gz"
	}
	opened, err := os.Open(name)
	if err != nil {
		return err
	}
	defer opened.Close()
	var reader io.Reader = opened
	if file.Compressed {
		if reader, err = gzip.NewReader(opened); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	mode := fs.FileMode(0o644)
	if file.Mode&0o111 != 0 {
		mode = 0o755
	}
	// Fails where the file is already there: an unpacked folder is whole or it is not used.
	created, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer created.Close()
	written, err := io.Copy(created, reader)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if written != file.Size {
		return fmt.Errorf("%s has %d bytes, its list says %d", name, written, file.Size)
	}
	if err := created.Chmod(mode); err != nil {
		return err
	}
	return created.Close()
}
