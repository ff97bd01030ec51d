package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// manifest is what this host reads of a package.json.
type manifest struct {
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Dependencies map[string]string `json:"dependencies"`
	Pulumi       struct {
		// Resource is true in packages that need a resource plugin.
		Resource bool   `json:"resource"`
		Name     string `json:"name"`
		Version  string `json:"version"`
		Server   string `json:"server"`
	} `json:"pulumi"`
}

// plugin is a resource plugin that a program needs.
type plugin struct{ Name, Version, Server string }

func readManifest(file string) (manifest, error) {
	var read manifest
	text, err := os.ReadFile(file)
	if err != nil {
		return read, err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return read, fmt.Errorf("%s: %w", file, err)
	}
	return read, nil
}

// programManifest reads the package.json of the folder or of the nearest one above it. A program needs none.
func programManifest(folder string) (manifest, error) {
	for at := folder; ; at = filepath.Dir(at) {
		read, err := readManifest(filepath.Join(at, "package.json"))
		if !errors.Is(err, os.ErrNotExist) {
			return read, err
		}
		if at == filepath.Dir(at) {
			return manifest{}, nil
		}
	}
}

// dependencies returns the manifests of the program's installed direct dependencies, by name.
func dependencies(folder string) ([]manifest, error) {
	program, err := programManifest(folder)
	if err != nil {
		return nil, err
	}
	var found []manifest
	for name := range program.Dependencies {
		file, err := findInstalled(folder, name, "package.json")
		if err != nil {
			return nil, err
		}
		dependency, err := readManifest(file)
		if err != nil {
			return nil, err
		}
		found = append(found, dependency)
	}
	slices.SortFunc(found, func(a, b manifest) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// allDependencies returns the manifests of all packages on which the program depends, directly or through others, by
// name. A direct dependency must be installed; npm omits others that it does not need on this machine.
func allDependencies(folder string) ([]manifest, error) {
	direct, err := dependencies(folder)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var found []manifest
	var visit func(from, name string) error
	visit = func(from, name string) error {
		file, err := findInstalled(from, name, "package.json")
		if err != nil {
			return nil
		}
		// Node.js looks for the dependencies of a linked package from the place to which the link leads.
		if file, err = filepath.EvalSymlinks(file); err != nil {
			return err
		}
		if seen[file] {
			return nil
		}
		seen[file] = true
		dependency, err := readManifest(file)
		if err != nil {
			return err
		}
		found = append(found, dependency)
		for inner := range dependency.Dependencies {
			if err := visit(filepath.Dir(file), inner); err != nil {
				return err
			}
		}
		return nil
	}
	for _, dependency := range direct {
		if err := visit(folder, dependency.Name); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b manifest) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// requiredPlugins returns the resource plugins of the packages on which the program depends: what the `pulumi` section of
// their package.json declares, with the package's own name and version where it names none.
func requiredPlugins(folder string) ([]plugin, error) {
	manifests, err := allDependencies(folder)
	if err != nil {
		return nil, err
	}
	var plugins []plugin
	for _, dependency := range manifests {
		if !dependency.Pulumi.Resource {
			continue
		}
		name, version := dependency.Pulumi.Name, dependency.Pulumi.Version
		if name == "" {
			name = path.Base(dependency.Name)
		}
		if version == "" {
			version = dependency.Version
		}
		plugins = append(plugins, plugin{
			Name: name, Version: "v" + strings.TrimPrefix(version, "v"), Server: dependency.Pulumi.Server,
		})
	}
	return plugins, nil
}
