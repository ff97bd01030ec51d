package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a command whose update is cancelled may take to end by itself.
const stopGrace = 5 * time.Second

// defaultInterpreter runs commands for which the program names no interpreter.
var defaultInterpreter = []string{"/bin/sh", "-c"}

// running has the process groups of the commands that are running.
var running sync.Map

// killRunning kills the commands that are running, with everything that they started.
func killRunning() {
	running.Range(func(group, _ any) bool {
		_ = syscall.Kill(-group.(int), syscall.SIGKILL)
		return true
	})
}

// runProcess runs a command to its end. It is the leader of its own process group: when the update is cancelled, everything that
// the command started is asked to end, and killed if it has not ended after stopGrace.
func runProcess(
	ctx context.Context, command string, run LocalRunProperties, last CommandOutput, output *recorder,
) error {
	interpreter := run.Interpreter
	if len(interpreter) == 0 {
		interpreter = defaultInterpreter
	}
	if folder := valueOr(run.Dir, "."); !isFolder(folder) {
		return fmt.Errorf("dir: %s is not a folder", folder)
	}
	process := exec.Command(interpreter[0], append(interpreter[1:len(interpreter):len(interpreter)], command)...)
	process.Dir = valueOr(run.Dir, "")
	process.Env = os.Environ()
	for _, one := range append(run.variables(), run.previous(last)...) {
		process.Env = append(process.Env, one.name+"="+one.value)
	}
	if run.Stdin != nil {
		process.Stdin = strings.NewReader(*run.Stdin)
	}
	process.Stdout, process.Stderr = &output.stdout, &output.stderr
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	if err := process.Start(); err != nil {
		return err
	}
	group := process.Process.Pid
	running.Store(group, true)
	defer running.Delete(group)
	stop := context.AfterFunc(ctx, func() {
		_ = syscall.Kill(-group, syscall.SIGTERM)
		time.Sleep(stopGrace)
		// Wait returns when nobody holds the output open any more. Whoever still does has been asked.
		if _, alive := running.Load(group); alive {
			_ = syscall.Kill(-group, syscall.SIGKILL)
		}
	})
	err := process.Wait()
	if stop() {
		return err
	}
	// Also what redirected its output and ignored the signal.
	_ = syscall.Kill(-group, syscall.SIGKILL)
	return cancelled(err)
}

// cancelled returns the error of a command whose update was cancelled, from the error with which it ended.
func cancelled(err error) error {
	if err == nil {
		return errors.New("cancelled")
	}
	return fmt.Errorf("cancelled: %w", err)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
