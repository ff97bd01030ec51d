package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// reportedExitCode is the code with which the runner says that the user has been told what went wrong
// (nodeJSProcessExitedAfterLoggingUserActionableMessage in @pulumi/pulumi/cmd/run).
const reportedExitCode = 32

// stopGrace is what a program that catches the interrupt gets to end by itself; the engine gives this process 5 seconds.
const stopGrace = 3 * time.Second

// Run runs the program to its end. An error that the program has reported itself is a bail, not a second message.
func (host *languageHost) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.GetAttachDebugger() {
		return nil, errors.New("this language host attaches no debugger: " +
			"set the runtime option `nodeargs: --inspect-brk` and attach one yourself")
	}
	runner, err := findInstalled(req.GetInfo().GetProgramDirectory(), "@pulumi/pulumi", "cmd/run")
	if err != nil {
		return nil, err
	}
	nodeArgs, err := nodeArguments(req)
	if err != nil {
		return nil, err
	}
	env, err := environment(req)
	if err != nil {
		return nil, err
	}
	// The program ends with the call (the engine is gone) and with this process.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(host.stopped, cancel)()

	cmd := exec.CommandContext(ctx, "node", append(nodeArgs, host.runArguments(runner, req)...)...)
	cmd.Dir = req.GetPwd()
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = runGroup(cmd)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return response(err)
}

// runGroup runs a command to its end, or until its context ends, with all that it starts.
func runGroup(cmd *exec.Cmd) error {
	// A process group of its own, so that all that the program starts can be stopped with it; the death signal is for the
	// case that this process is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopGrace
	// The kernel binds the death signal to the thread that starts the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if cmd.Process != nil {
		// Whatever is left would hold the output open, for whose end the engine waits.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	return err
}

// response translates how node ended.
func response(err error) (*pulumirpc.RunResponse, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("running node: %w", err)
	case exit.ExitCode() == reportedExitCode:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case exit.ExitCode() < 0:
		return &pulumirpc.RunResponse{Error: "Program was ended by " + exit.String()}, nil
	default:
		return &pulumirpc.RunResponse{
			Error: fmt.Sprintf("Program exited with non-zero exit code: %d", exit.ExitCode()),
		}, nil
	}
}

// runArguments are the runner's own (its usage text is in @pulumi/pulumi/cmd/run/index.js), then program and arguments.
func (host *languageHost) runArguments(runner string, req *pulumirpc.RunRequest) []string {
	args := []string{runner}
	add := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	add("monitor", req.GetMonitorAddress())
	add("engine", host.engine)
	add("organization", req.GetOrganization())
	add("project", req.GetProject())
	add("root-directory", req.GetInfo().GetRootDirectory())
	add("stack", req.GetStack())
	add("pwd", req.GetPwd())
	if req.GetDryRun() {
		args = append(args, "--dry-run")
	}
	add("parallel", strconv.Itoa(int(req.GetParallel())))
	add("tracing", host.tracing)
	entryPoint := req.GetInfo().GetEntryPoint()
	if entryPoint == "" {
		entryPoint = "."
	}
	return append(append(args, entryPoint), req.GetArgs()...)
}

// environment is what the runner reads from there rather than from its arguments.
func environment(req *pulumirpc.RunRequest) ([]string, error) {
	config, secretKeys := req.GetConfig(), req.GetConfigSecretKeys()
	if config == nil {
		config = map[string]string{}
	}
	if secretKeys == nil {
		secretKeys = []string{}
	}
	configText, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	secretKeysText, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, fmt.Errorf("encoding the secret keys: %w", err)
	}
	// The runner takes TypeScript only when it is told to.
	typescript, err := option(req, "typescript", true)
	if err != nil {
		return nil, err
	}
	env := []string{
		"PULUMI_CONFIG=" + string(configText),
		"PULUMI_CONFIG_SECRET_KEYS=" + string(secretKeysText),
		"PULUMI_NODEJS_TYPESCRIPT=" + strconv.FormatBool(typescript),
	}
	tsconfig, err := option(req, "tsconfig", "")
	if err != nil {
		return nil, err
	}
	if tsconfig != "" {
		env = append(env, "PULUMI_NODEJS_TSCONFIG_PATH="+tsconfig)
	}
	return env, nil
}

// nodeArguments are node's own, from the runtime option `nodeargs`.
func nodeArguments(req *pulumirpc.RunRequest) ([]string, error) {
	text, err := option(req, "nodeargs", "")
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(text, `"'\`) {
		return nil, fmt.Errorf("runtime option nodeargs is %q: this language host splits it at spaces and knows no quotes", text)
	}
	return strings.Fields(text), nil
}

// option is one of `runtime: options:` in Pulumi.yaml.
func option[T any](req *pulumirpc.RunRequest, name string, absent T) (T, error) {
	value, present := req.GetInfo().GetOptions().AsMap()[name]
	if !present {
		return absent, nil
	}
	typed, ok := value.(T)
	if !ok {
		return absent, fmt.Errorf("runtime option %s is %v (%T): it has to be a %T", name, value, value, absent)
	}
	return typed, nil
}

// findInstalled finds a file of an installed package as Node.js does: in node_modules of the folder or of one above it.
func findInstalled(folder, name, file string) (string, error) {
	for at := folder; ; at = filepath.Dir(at) {
		found := filepath.Join(at, "node_modules", filepath.FromSlash(name), filepath.FromSlash(file))
		if _, err := os.Stat(found); err == nil {
			return found, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not installed for %s: run `npm ci`", name, folder)
		}
	}
}
