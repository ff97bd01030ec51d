package main

import (
	"context"
	"io"
	gofs "io/fs"
	"path"
	"strings"
	"testing/fstest"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

type ignoreRequest struct {
	// Text of the ignore file.
	Ignore string `json:"ignore"`
	// The context's files.
	Files []string `json:"files"`
}

type ignoreAnswer struct {
	Files   []string `json:"files"`
	Folders []string `json:"folders"`
	// Files of Files whose content is refused to the builder: they arrive empty.
	Empty []string `json:"empty"`
}

// ignored says what of a context is sent to the builder.
func ignored(ctx context.Context, request ignoreRequest) (ignoreAnswer, error) {
	answer := ignoreAnswer{Files: []string{}, Folders: []string{}, Empty: []string{}}
	excludes, err := ignorefile.ReadAll(strings.NewReader(request.Ignore))
	if err != nil {
		return answer, err
	}
	sent, err := fsutil.NewFilterFS(inMemory(request.Files), &fsutil.FilterOpt{ExcludePatterns: excludes})
	if err != nil {
		return answer, err
	}
	err = sent.Walk(ctx, "/", func(file string, entry gofs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			answer.Folders = append(answer.Folders, file)
			return nil
		}
		answer.Files = append(answer.Files, file)
		if content, err := sent.Open(file); err != nil {
			answer.Empty = append(answer.Empty, file)
		} else {
			return content.Close()
		}
		return nil
	})
	return answer, err
}

type memory struct{ files fstest.MapFS }

func inMemory(files []string) fsutil.FS {
	all := fstest.MapFS{}
	for _, file := range files {
		all[file] = &fstest.MapFile{Mode: 0o644}
	}
	return memory{all}
}

func (m memory) Walk(_ context.Context, _ string, visit gofs.WalkDirFunc) error {
	return gofs.WalkDir(m.files, ".", func(file string, entry gofs.DirEntry, err error) error {
		if err != nil || file == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := &types.Stat{Path: path.Clean(file), Mode: uint32(info.Mode())}
		return visit(file, &fsutil.DirEntryInfo{Stat: stat}, nil)
	})
}

func (m memory) Open(file string) (io.ReadCloser, error) { return m.files.Open(file) }
