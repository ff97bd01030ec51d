// Command pulumi-resource-command is a command provider: it runs commands on this machine and over SSH, with the resources and
// the properties of @pulumi/command. It stands in where the official plugin, which is in no Go module that can be downloaded, is
// not installed. What it does not have it refuses by name.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/middleware/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

const name = "command"

// version is set by the linker. It is the version of @pulumi/command whose types match this provider.
var version = "0.0.0"

func main() {
	err := provider().Run(context.Background(), name, version)
	// The engine is gone or does not wait any longer: a command that is still running must not outlive this process.
	killRunning()
	if err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-command: %v\n", err)
		os.Exit(1)
	}
}

// provider returns the provider with all resources and functions.
func provider() p.Provider {
	return withSecrets(refusing(infer.Provider(infer.Options{
		Metadata: schema.Metadata{
			DisplayName: "Command",
			Description: "Runs commands on this machine and over SSH",
			License:     "Apache-2.0",
		},
		Resources: []infer.InferredResource{
			infer.Resource(&LocalCommand{}),
			infer.Resource(&RemoteCommand{}),
			infer.Resource(&CopyToRemote{}),
		},
		Functions: []infer.InferredFunction{infer.Function(&LocalRun{})},
	})))
}

// refusing names what this provider does not have, and what to use instead, before the resource is planned.
func refusing(inner p.Provider) p.Provider {
	has := "this provider has command:local:Command, command:local:run, command:remote:Command and command:remote:CopyToRemote"
	known := map[tokens.Type]bool{
		"command:local:Command": true, "command:remote:Command": true, "command:remote:CopyToRemote": true,
	}
	check, invoke := inner.Check, inner.Invoke
	inner.Check = func(ctx context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		switch token := req.Urn.Type(); {
		case token == "command:remote:CopyFile":
			return p.CheckResponse{}, fmt.Errorf(
				"%s is deprecated and not part of this provider: use command:remote:CopyToRemote, "+
					"with `source: new pulumi.asset.FileAsset(localPath)`", token)
		case !known[token]:
			return p.CheckResponse{}, fmt.Errorf("%s is unknown: %s", token, has)
		}
		return check(ctx, req)
	}
	inner.Invoke = func(ctx context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		if req.Token != "command:local:run" {
			return p.InvokeResponse{}, fmt.Errorf("%s is unknown: %s", req.Token, has)
		}
		return invoke(ctx, req)
	}
	return inner
}
