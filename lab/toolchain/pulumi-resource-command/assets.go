package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// pattern is one of the rules of `assetPaths` or `archivePaths`; later rules win.
type pattern struct {
	glob     glob.Glob
	excludes bool
}

func readPattern(text string) (pattern, error) {
	positive, excludes := strings.CutPrefix(text, "!")
	compiled, err := glob.Compile(positive, '/')
	if err != nil {
		return pattern{}, fmt.Errorf("%q is not a valid pattern: %w", text, err)
	}
	return pattern{compiled, excludes}, nil
}

// checkGlobs returns what is wrong with the patterns of `assetPaths` and `archivePaths`.
func checkGlobs(inputs property.Map) []p.CheckFailure {
	var failures []p.CheckFailure
	for _, key := range []string{"assetPaths", "archivePaths"} {
		list := inputs.Get(key)
		if !list.IsArray() {
			continue
		}
		for _, text := range list.AsArray().All {
			if !text.IsString() {
				continue
			}
			if _, err := readPattern(text.AsString()); err != nil {
				failures = append(failures, p.CheckFailure{Property: key, Reason: err.Error()})
			}
		}
	}
	return failures
}

// findAssets returns the files below a folder that the patterns select, by their path in the folder.
func findAssets(folder string, texts []string) (map[string]*resource.Asset, error) {
	patterns := make([]pattern, len(texts))
	for i, text := range texts {
		var err error
		if patterns[i], err = readPattern(text); err != nil {
			return nil, err
		}
	}
	assets := map[string]*resource.Asset{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		selected := false
		for _, one := range patterns {
			if one.glob.Match(path) {
				selected = !one.excludes
			}
		}
		if !selected {
			return nil
		}
		assets[path], err = resource.NewPathAsset(filepath.Join(folder, path))
		return err
	})
	return assets, err
}
