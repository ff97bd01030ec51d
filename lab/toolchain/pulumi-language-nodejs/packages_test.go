package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPluginsComeFromTheDirectDependenciesThatDeclareThem(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "package.json"), `{"dependencies":{"@pulumi/x":"1","@pulumi/y":"1","left":"1"}}`)
	write(t, filepath.Join(folder, "node_modules/@pulumi/x/package.json"),
		`{"name":"@pulumi/x","version":"1.2.3","pulumi":{"resource":true}}`)
	write(t, filepath.Join(folder, "node_modules/@pulumi/y/package.json"),
		`{"name":"@pulumi/y","version":"9.9.9","pulumi":{"resource":true,"name":"why","version":"v2.0.0"}}`)
	write(t, filepath.Join(folder, "node_modules/left/package.json"), `{"name":"left","version":"3.0.0"}`)
	found, err := requiredPlugins(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := []plugin{{Name: "x", Version: "v1.2.3"}, {Name: "why", Version: "v2.0.0"}}
	if !slices.Equal(found, want) {
		t.Fatalf("got %v, want %v", found, want)
	}
}

func TestADependencyThatIsNotInstalledIsNamed(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "package.json"), `{"dependencies":{"gone":"1"}}`)
	if _, err := requiredPlugins(folder); err == nil || !strings.Contains(err.Error(), "gone is not installed") {
		t.Fatalf("got %v", err)
	}
}

func TestTheRunnerIsFoundInAFolderAbove(t *testing.T) {
	folder := t.TempDir()
	runner := filepath.Join(folder, "node_modules/@pulumi/pulumi/cmd/run")
	write(t, filepath.Join(runner, "index.js"), "")
	program := filepath.Join(folder, "a", "b")
	if err := os.MkdirAll(program, 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := findRunner(program)
	if err != nil || found != runner {
		t.Fatalf("got %q, %v", found, err)
	}
}

func TestArgumentsNameMonitorEngineAndProgramAndOmitWhatIsEmpty(t *testing.T) {
	req := &pulumirpc.RunRequest{
		Project: "p", Stack: "s", Pwd: "/program", MonitorAddress: "m:1", DryRun: true, Parallel: 4, Args: []string{"x"},
		Info: &pulumirpc.ProgramInfo{RootDirectory: "/program", EntryPoint: "index.ts"},
	}
	got := strings.Join(runArguments("run", "e:2", req), " ")
	want := "run --monitor m:1 --engine e:2 --project p --root-directory /program --stack s --pwd /program --dry-run " +
		"--parallel 4 index.ts x"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}
