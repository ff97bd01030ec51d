package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// collected is the stream of a call that keeps what is sent.
type collected struct {
	grpc.ServerStream
	ctx            context.Context
	stdout, stderr string
	code           *int32
}

func (stream *collected) Context() context.Context { return stream.ctx }

func (stream *collected) Send(response *pulumirpc.RunPluginResponse) error {
	stream.stdout += string(response.GetStdout())
	stream.stderr += string(response.GetStderr())
	if code, ok := response.GetOutput().(*pulumirpc.RunPluginResponse_Exitcode); ok {
		stream.code = &code.Exitcode
	}
	return nil
}

// packFolder makes the folder of a pack whose installed runner is this script.
func packFolder(t *testing.T, script string) string {
	t.Helper()
	folder := t.TempDir()
	runner := filepath.Join(folder, "node_modules", "@pulumi", "pulumi", "cmd", "run-policy-pack")
	if err := os.MkdirAll(runner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(runner, "index.js"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func request(folder, kind string) *pulumirpc.RunPluginRequest {
	return &pulumirpc.RunPluginRequest{
		Kind: kind, Pwd: os.TempDir(), Args: []string{"engine:1"}, Env: append(os.Environ(), "GIVEN=yes"),
		Info: &pulumirpc.ProgramInfo{ProgramDirectory: folder},
	}
}

func TestAPolicyPackGetsTheEngineAndItsFolderAndItsOutputAndExitCodeAreSent(t *testing.T) {
	folder := packFolder(t, `console.log(process.argv.slice(2).join(" "), process.env.GIVEN, process.cwd()); console.error("told"); process.exitCode = 7;`)
	stream := &collected{ctx: context.Background()}
	host := &languageHost{stopped: context.Background()}
	if err := host.RunPlugin(request(folder, policyPack), stream); err != nil {
		t.Fatal(err)
	}
	if want := "engine:1 " + folder + " yes " + folder + "\n"; stream.stdout != want || stream.stderr != "told\n" {
		t.Fatalf("got %q and %q, want %q", stream.stdout, stream.stderr, want)
	}
	if stream.code == nil || *stream.code != 7 {
		t.Fatalf("got exit code %v", stream.code)
	}
}

func TestAPolicyPackEndsWithTheCall(t *testing.T) {
	folder := packFolder(t, `setInterval(() => undefined, 1000);`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	host := &languageHost{stopped: context.Background()}
	if err := host.RunPlugin(request(folder, policyPack), &collected{ctx: ctx}); err == nil {
		t.Fatal("a cancelled call ended without an error")
	}
}

func TestOtherPluginsAreRefusedWithTheNextStep(t *testing.T) {
	err := (&languageHost{}).RunPlugin(request("/plugin", "resource"), &collected{ctx: context.Background()})
	if err == nil || !strings.Contains(err.Error(), `"resource"`) || !strings.Contains(err.Error(), "official Pulumi CLI") {
		t.Fatalf("got %v", err)
	}
}
