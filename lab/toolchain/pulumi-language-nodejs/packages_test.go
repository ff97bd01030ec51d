package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	write(t, filepath.Join(folder, "package.json"), `{"dependencies":{"@pulumi/x":"1","@else/y":"1","z":"1","left":"1"}}`)
	// As @pulumi/docker-build 0.0.22 has it.
	write(t, filepath.Join(folder, "node_modules/@pulumi/x/package.json"),
		`{"name":"@pulumi/x","version":"9.9.9","pulumi":{"resource":true,"name":"ex","version":"1.2.3"}}`)
	write(t, filepath.Join(folder, "node_modules/@else/y/package.json"),
		`{"name":"@else/y","version":"v2.0.0","pulumi":{"resource":true,"server":"https://example.com"}}`)
	// As @pulumi/pulumi has it: a section that asks for no plugin.
	write(t, filepath.Join(folder, "node_modules/z/package.json"), `{"name":"z","pulumi":{"comment":"none"}}`)
	write(t, filepath.Join(folder, "node_modules/left/package.json"), `{"name":"left","version":"3.0.0"}`)
	write(t, filepath.Join(folder, "node_modules/transitive/package.json"), `{"name":"t","pulumi":{"resource":true}}`)
	found, err := requiredPlugins(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := []plugin{{Name: "y", Version: "v2.0.0", Server: "https://example.com"}, {Name: "ex", Version: "v1.2.3"}}
	if !slices.Equal(found, want) {
		t.Fatalf("got %v, want %v", found, want)
	}
}

func TestPluginsComeFromTheDependenciesOfDependencies(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "package.json"), `{"dependencies":{"whole":"1"}}`)
	modules := filepath.Join(folder, "node_modules")
	// `whole` is linked to a folder elsewhere, which has modules of its own; `optional` is not installed.
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "package.json"), `{"name":"whole","dependencies":{"x":"1","optional":"1"}}`)
	write(t, filepath.Join(elsewhere, "node_modules/x/package.json"),
		`{"name":"x","version":"1.0.0","dependencies":{"whole":"1"},"pulumi":{"resource":true}}`)
	write(t, filepath.Join(modules, "unneeded/package.json"), `{"name":"unneeded","pulumi":{"resource":true}}`)
	if err := os.Symlink(elsewhere, filepath.Join(modules, "whole")); err != nil {
		t.Fatal(err)
	}
	found, err := requiredPlugins(folder)
	if err != nil {
		t.Fatal(err)
	}
	if want := []plugin{{Name: "x", Version: "v1.0.0"}}; !slices.Equal(found, want) {
		t.Fatalf("got %v, want %v", found, want)
	}
}

func TestAProgramBelowItsPackageFindsManifestAndModulesAbove(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "package.json"), `{"dependencies":{"x":"1"}}`)
	write(t, filepath.Join(folder, "node_modules/x/package.json"), `{"name":"x","version":"1.0.0"}`)
	runner := filepath.Join(folder, "node_modules/@pulumi/pulumi/cmd/run")
	write(t, filepath.Join(runner, "index.js"), "")
	program := filepath.Join(folder, "a", "b")
	if err := os.MkdirAll(program, 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := findInstalled(program, "@pulumi/pulumi", "cmd/run")
	if err != nil || found != runner {
		t.Fatalf("got %q, %v", found, err)
	}
	manifests, err := dependencies(program)
	if err != nil || len(manifests) != 1 || manifests[0].Name != "x" {
		t.Fatalf("got %v, %v", manifests, err)
	}
}

func TestADependencyThatIsNotInstalledIsNamed(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "package.json"), `{"dependencies":{"gone":"1"}}`)
	_, err := requiredPlugins(folder)
	if err == nil || !strings.Contains(err.Error(), "gone is not installed") ||
		!strings.Contains(err.Error(), "npm ci") {
		t.Fatalf("got %v", err)
	}
}
