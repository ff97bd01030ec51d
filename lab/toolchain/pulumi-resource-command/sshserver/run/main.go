// Command run runs the SSH server of the tests until its stdin is closed, for tests that are not written in Go. Arguments: the
// password, the authorized key and the prefix of accepted environment variables. It prints its port and its host key as JSON.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	"layered-images/toolchain/pulumi-resource-command/sshserver"
)

func main() {
	server, err := sshserver.Start(sshserver.Options{Password: os.Args[1], AuthorizedKey: os.Args[2], AcceptEnv: os.Args[3]})
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"port": server.Port, "hostKey": server.HostKey}); err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
