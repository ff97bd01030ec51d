package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// policyPack is the kind of plugin that checks resources. The engine starts it for `--policy-pack`.
const policyPack = "analyzer"

// RunPlugin runs a policy pack until the engine ends the call. Other kinds of plugins are refused: the lab needs none.
func (host *languageHost) RunPlugin(
	req *pulumirpc.RunPluginRequest, stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	folder := req.GetInfo().GetProgramDirectory()
	if req.GetKind() != policyPack {
		return status.Errorf(codes.Unimplemented,
			"this language host runs programs and policy packs, and no plugin of kind %q written for Node.js (%s): install the "+
				"official Pulumi CLI for it", req.GetKind(), folder)
	}
	if req.GetAttachDebugger() {
		return errors.New("this language host attaches no debugger to a policy pack")
	}
	runner, err := findInstalled(folder, "@pulumi/pulumi", "cmd/run-policy-pack")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(host.stopped, cancel)()

	// The runner's arguments are those of the engine, with its address, and the pack.
	cmd := exec.CommandContext(ctx, "node", append(append([]string{runner}, req.GetArgs()...), folder)...)
	// @pulumi/policy reads the pack's version from the package.json of its working directory.
	cmd.Dir = folder
	cmd.Env = req.GetEnv()
	sender := &outputSender{stream: stream}
	cmd.Stdout = writerFunc(func(text []byte) error {
		return sender.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: text}})
	})
	cmd.Stderr = writerFunc(func(text []byte) error {
		return sender.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: text}})
	})
	err = runGroup(cmd)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		return fmt.Errorf("running node: %w", err)
	}
	return sender.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
}

// outputSender sends one message at a time: two goroutines copy a program's two streams.
type outputSender struct {
	lock   sync.Mutex
	stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse]
}

func (sender *outputSender) send(response *pulumirpc.RunPluginResponse) error {
	sender.lock.Lock()
	defer sender.lock.Unlock()
	return sender.stream.Send(response)
}

type writerFunc func([]byte) error

func (write writerFunc) Write(text []byte) (int, error) {
	if err := write(text); err != nil {
		return 0, err
	}
	return len(text), nil
}
