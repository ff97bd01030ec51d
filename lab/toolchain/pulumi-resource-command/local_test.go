package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func writeFiles(t *testing.T, folder string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindAssets(t *testing.T) {
	folder := t.TempDir()
	writeFiles(t, folder, "assets/logos/logo.svg", "src/index.js", "src/secret.js", "src/deep/part.js", "top.txt")
	cases := map[string]struct{ patterns, expected []string }{
		"nothing":                     {nil, nil},
		"one name":                    {[]string{"top.txt"}, []string{"top.txt"}},
		"a star ends at a slash":      {[]string{"src/*.js"}, []string{"src/index.js", "src/secret.js"}},
		"two stars do not":            {[]string{"src/**.js"}, []string{"src/deep/part.js", "src/index.js", "src/secret.js"}},
		"a folder's name is no file":  {[]string{"src"}, nil},
		"the SDK's example":           {[]string{"assets/**", "src/*.js", "!**secret.*"}, []string{"assets/logos/logo.svg", "src/index.js"}},
		"a later rule brings it back": {[]string{"!**secret.*", "src/s*"}, []string{"src/secret.js"}},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			found, err := findAssets(folder, one.patterns)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for path := range found {
				paths = append(paths, path)
			}
			slices.Sort(paths)
			if !slices.Equal(paths, one.expected) {
				t.Errorf("expected %v, not %v", one.expected, paths)
			}
		})
	}
}

func TestTriggersTakeAnyValue(t *testing.T) {
	asset, err := resource.NewTextAsset("text")
	if err != nil {
		t.Fatal(err)
	}
	created, err := create(t, newServer(t), localToken, values{
		"create":   text("true"),
		"triggers": list(text("a"), number(1), property.New(true), property.New(values{"b": list(text("c"))}), property.New(asset)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if triggers := created.Properties.Get("triggers").AsArray(); triggers.Len() != 5 {
		t.Errorf("%#v", triggers)
	}
}

func TestAFolderThatIsMissing(t *testing.T) {
	_, err := create(t, newServer(t), localToken, values{"create": text("true"), "dir": text("/no/such/folder")})
	if err == nil {
		t.Fatal("the command did not fail")
	}
	contains(t, err.Error(), "dir: /no/such/folder is not a folder")
}

// alive says whether a process runs; a zombie does not.
func alive(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(status), ") Z ")
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// readPids returns the process IDs in a file, one a line, when there are this many.
func readPids(t *testing.T, file string, count int) []int {
	t.Helper()
	var pids []int
	waitFor(t, "process IDs", func() bool {
		content, _ := os.ReadFile(file)
		pids = nil
		for _, line := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(line)
			if err != nil {
				return false
			}
			pids = append(pids, pid)
		}
		return len(pids) == count
	})
	return pids
}

func TestCancelEndsTheWholeGroup(t *testing.T) {
	cases := map[string]string{
		"processes that end when asked": `sleep 300 & echo $! >> $PIDS; sleep 300 & echo $! >> $PIDS; wait`,
		"processes that do not":         `(trap "" TERM; sleep 300 > /dev/null 2>&1 & echo $! >> $PIDS; echo $! >> $PIDS; wait); wait`,
	}
	for name, command := range cases {
		t.Run(name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			server := newServer(t)
			failed := make(chan error, 1)
			go func() {
				_, err := server.Create(p.CreateRequest{Urn: urnOf(localToken), Properties: property.NewMap(values{
					"create": text(command), "environment": property.New(values{"PIDS": text(pids)}),
				})})
				failed <- err
			}()
			started := readPids(t, pids, 2)
			if err := server.Cancel(); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-failed:
				if err == nil {
					t.Fatal("the command did not fail")
				}
				contains(t, err.Error(), "cancelled")
			case <-time.After(20 * time.Second):
				t.Fatal("the command still runs")
			}
			for _, pid := range started {
				waitFor(t, "end of a process", func() bool { return !alive(pid) })
			}
		})
	}
}

func TestRunningCommandsAreKilledAtTheEnd(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	done := make(chan error, 1)
	go func() {
		_, err := runLocally(context.Background(), `trap "" TERM; sleep 300 & echo $! >> `+pids+`; wait; true`,
			LocalRunProperties{}, CommandOutput{})
		done <- err
	}()
	started := readPids(t, pids, 1)
	killRunning()
	if err := <-done; err == nil {
		t.Error("the command did not fail")
	}
	waitFor(t, "end of the process", func() bool { return !alive(started[0]) })
	_ = syscall.Kill(started[0], syscall.SIGKILL)
}
