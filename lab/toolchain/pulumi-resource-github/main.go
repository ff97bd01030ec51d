// Command pulumi-resource-github is the GitHub provider: the real terraform-provider-github behind Pulumi's own bridge for
// Terraform providers, as the official plugin is, which is in no module that can be downloaded. The documentation and the
// names for other languages than TypeScript, which the official one also carries, are left out.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/integrations/terraform-provider-github/v6/github"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
)

const name = "github"

// version is set by the linker. It is the version of @pulumi/github whose types match this provider.
var version = "0.0.0"

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-github: %v\n", err)
		os.Exit(1)
	}
}

func serve() error {
	info := provider()
	// The generator reports what it finds no documentation for, which is everything.
	silent := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	schema, err := tfgen.GenerateSchemaWithOptions(tfgen.GenerateSchemaOptions{
		ProviderInfo:    info,
		DiagnosticsSink: silent,
		XInMemoryDocs:   true,
	})
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	text, err := json.Marshal(schema.PackageSpec)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	tfbridge.Main(name, version, info, text)
	return nil
}

// provider maps every resource of the Terraform provider to the token that it has in @pulumi/github.
func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(github.NewProvider(version, "")()),
		Name:    name,
		Version: version,
		// The Terraform provider requires a base URL; the official plugin has the same default.
		Config: map[string]*tfbridge.SchemaInfo{
			"base_url": {Default: &tfbridge.DefaultInfo{
				EnvVars: []string{"GITHUB_BASE_URL"},
				Value:   "https://api.github.com/",
			}},
		},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	info.MustComputeTokens(tokens.SingleModule("github_", "index", tokens.MakeStandard(name)))
	info.SetAutonaming(255, "-")
	return info
}
