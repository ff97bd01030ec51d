package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// RemoteCommand is the resource command:remote:Command.
type RemoteCommand struct{}

// Annotate names the resource.
func (c *RemoteCommand) Annotate(a infer.Annotator) {
	a.Describe(&c, "Runs a command on another machine, over SSH, when it is created, updated and deleted.")
	a.SetToken("remote", "Command")
}

// RemoteLogging is the type of the property `logging`.
type RemoteLogging string

// Values lists the allowed values.
func (RemoteLogging) Values() []infer.EnumValue[RemoteLogging] { return loggingValues[RemoteLogging]() }

// Annotate names the type.
func (l *RemoteLogging) Annotate(a infer.Annotator) { a.SetToken("remote", "Logging") }

// RemoteCommandInputs are the inputs of command:remote:Command.
type RemoteCommandInputs struct {
	Lifecycle
	Run
	Connection Connection     `pulumi:"connection" provider:"secret"`
	Logging    *RemoteLogging `pulumi:"logging,optional"`
}

// RemoteCommandState is the state of command:remote:Command.
type RemoteCommandState struct {
	RemoteCommandInputs
	CommandOutput
}

// Check refuses inputs that no run could use.
func (*RemoteCommand) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[RemoteCommandInputs], error) {
	inputs, failures, err := infer.DefaultCheck[RemoteCommandInputs](ctx, req.NewInputs)
	failures = append(failures, checkRun(req.NewInputs)...)
	failures = append(failures, checkConnection(req.NewInputs)...)
	return infer.CheckResponse[RemoteCommandInputs]{Inputs: inputs, Failures: failures}, err
}

// Create runs `create`.
func (*RemoteCommand) Create(
	ctx context.Context, req infer.CreateRequest[RemoteCommandInputs],
) (infer.CreateResponse[RemoteCommandState], error) {
	state := RemoteCommandState{RemoteCommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		state.CommandOutput, err = runRemotely(ctx, *req.Inputs.Create, req.Inputs, state.CommandOutput)
	}
	return infer.CreateResponse[RemoteCommandState]{ID: id, Output: state}, err
}

// Update runs `update`, or `create` if there is none.
func (*RemoteCommand) Update(
	ctx context.Context, req infer.UpdateRequest[RemoteCommandInputs, RemoteCommandState],
) (infer.UpdateResponse[RemoteCommandState], error) {
	state := RemoteCommandState{RemoteCommandInputs: req.Inputs, CommandOutput: req.State.CommandOutput}
	command := req.Inputs.onUpdate()
	if req.DryRun || command == nil {
		return infer.UpdateResponse[RemoteCommandState]{Output: state}, nil
	}
	output, err := runRemotely(ctx, *command, req.Inputs, req.State.CommandOutput)
	state.CommandOutput = output
	return infer.UpdateResponse[RemoteCommandState]{Output: state}, err
}

// Delete runs `delete`.
func (*RemoteCommand) Delete(
	ctx context.Context, req infer.DeleteRequest[RemoteCommandState],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	_, err := runRemotely(ctx, *req.State.Delete, req.State.RemoteCommandInputs, req.State.CommandOutput)
	return infer.DeleteResponse{}, err
}

// runRemotely runs a command in a session of its own. When the update is cancelled, the command gets a signal, and the connection
// is closed.
func runRemotely(
	ctx context.Context, command string, run RemoteCommandInputs, last CommandOutput,
) (CommandOutput, error) {
	client, err := run.Connection.dial(ctx)
	if err != nil {
		return CommandOutput{}, err
	}
	defer client.close()
	session, err := client.NewSession()
	if err != nil {
		return CommandOutput{}, err
	}
	defer session.Close()
	for _, one := range run.variables() {
		if err := session.Setenv(one.name, one.value); err != nil {
			return CommandOutput{}, fmt.Errorf("environment: %s did not accept the variable %s: "+
				"allow it there with AcceptEnv in sshd_config, or set it in the command: `%s=… command`",
				run.Connection.Host, one.name, one.name)
		}
	}
	for _, one := range run.previous(last) {
		// Few servers accept these two, and few commands read them.
		if err := session.Setenv(one.name, one.value); err != nil {
			p.GetLogger(ctx).Debugf("%s did not accept the variable %s", run.Connection.Host, one.name)
		}
	}
	recorded := newRecorder(ctx, string(valueOr(run.Logging, "")))
	session.Stdin = strings.NewReader(valueOr(run.Stdin, ""))
	session.Stdout, session.Stderr = &recorded.stdout, &recorded.stderr
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		client.close()
	})
	err = exitReason(session.Run(command))
	if !stop() {
		err = cancelled(err)
	}
	output := recorded.finish()
	if err != nil {
		return output, recorded.failure(ctx, command, err)
	}
	return output, nil
}

// exitReason returns the error of a remote command in the words of a local one.
func exitReason(err error) error {
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.Signal() != "" {
		return err
	}
	return fmt.Errorf("exit status %d", exit.ExitStatus())
}

var (
	_ infer.CustomCheck[RemoteCommandInputs]                      = (*RemoteCommand)(nil)
	_ infer.CustomUpdate[RemoteCommandInputs, RemoteCommandState] = (*RemoteCommand)(nil)
	_ infer.CustomDelete[RemoteCommandState]                      = (*RemoteCommand)(nil)
)
