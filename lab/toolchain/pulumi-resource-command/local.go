package main

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// LocalCommand is the resource command:local:Command.
type LocalCommand struct{}

// Annotate names the resource.
func (c *LocalCommand) Annotate(a infer.Annotator) {
	a.Describe(&c, "Runs a command on this machine when it is created, updated and deleted.")
	a.SetToken("local", "Command")
}

// LocalLogging is the type of the property `logging`.
type LocalLogging string

// Values lists the allowed values.
func (LocalLogging) Values() []infer.EnumValue[LocalLogging] { return loggingValues[LocalLogging]() }

// Annotate names the type.
func (l *LocalLogging) Annotate(a infer.Annotator) { a.SetToken("local", "Logging") }

// LocalRunProperties are the properties of every local run.
type LocalRunProperties struct {
	Run
	Interpreter  []string      `pulumi:"interpreter,optional"`
	Dir          *string       `pulumi:"dir,optional"`
	Logging      *LocalLogging `pulumi:"logging,optional"`
	AssetPaths   []string      `pulumi:"assetPaths,optional"`
	ArchivePaths []string      `pulumi:"archivePaths,optional"`
}

// LocalOutput is the result of a local run.
type LocalOutput struct {
	CommandOutput
	Assets  map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *resource.Archive               `pulumi:"archive,optional"`
}

// LocalCommandInputs are the inputs of command:local:Command.
type LocalCommandInputs struct {
	Lifecycle
	LocalRunProperties
}

// LocalCommandState is the state of command:local:Command.
type LocalCommandState struct {
	LocalCommandInputs
	LocalOutput
}

// Check refuses inputs that no run could use.
func (*LocalCommand) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[LocalCommandInputs], error) {
	inputs, failures, err := infer.DefaultCheck[LocalCommandInputs](ctx, req.NewInputs)
	failures = append(failures, checkRun(req.NewInputs)...)
	failures = append(failures, checkGlobs(req.NewInputs)...)
	return infer.CheckResponse[LocalCommandInputs]{Inputs: inputs, Failures: failures}, err
}

// Create runs `create`.
func (*LocalCommand) Create(
	ctx context.Context, req infer.CreateRequest[LocalCommandInputs],
) (infer.CreateResponse[LocalCommandState], error) {
	state := LocalCommandState{LocalCommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		state.LocalOutput, err = runLocally(ctx, *req.Inputs.Create, req.Inputs.LocalRunProperties, state.CommandOutput)
	}
	return infer.CreateResponse[LocalCommandState]{ID: id, Output: state}, err
}

// Update runs `update`, or `create` if there is none.
func (*LocalCommand) Update(
	ctx context.Context, req infer.UpdateRequest[LocalCommandInputs, LocalCommandState],
) (infer.UpdateResponse[LocalCommandState], error) {
	state := LocalCommandState{LocalCommandInputs: req.Inputs, LocalOutput: req.State.LocalOutput}
	command := req.Inputs.onUpdate()
	if req.DryRun || command == nil {
		return infer.UpdateResponse[LocalCommandState]{Output: state}, nil
	}
	output, err := runLocally(ctx, *command, req.Inputs.LocalRunProperties, req.State.CommandOutput)
	state.LocalOutput = output
	return infer.UpdateResponse[LocalCommandState]{Output: state}, err
}

// Delete runs `delete`.
func (*LocalCommand) Delete(
	ctx context.Context, req infer.DeleteRequest[LocalCommandState],
) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	run := req.State.LocalRunProperties
	// Nobody reads what a deleted resource left behind, and the files may be gone.
	run.AssetPaths, run.ArchivePaths = nil, nil
	_, err := runLocally(ctx, *req.State.Delete, run, req.State.CommandOutput)
	return infer.DeleteResponse{}, err
}

// LocalRun is the function command:local:run, which runs in every preview and update.
type LocalRun struct{}

// Annotate names the function.
func (f *LocalRun) Annotate(a infer.Annotator) {
	a.Describe(&f, "Runs a command on this machine in every preview and every update.")
	a.SetToken("local", "run")
}

// LocalRunInputs are the arguments of command:local:run.
type LocalRunInputs struct {
	LocalRunProperties
	Command string `pulumi:"command"`
}

// LocalRunResult is the result of command:local:run.
type LocalRunResult struct {
	LocalRunInputs
	LocalOutput
}

// Invoke runs the command.
func (*LocalRun) Invoke(
	ctx context.Context, req infer.FunctionRequest[LocalRunInputs],
) (infer.FunctionResponse[LocalRunResult], error) {
	output, err := runLocally(ctx, req.Input.Command, req.Input.LocalRunProperties, CommandOutput{})
	return infer.FunctionResponse[LocalRunResult]{Output: LocalRunResult{req.Input, output}}, err
}

// runLocally runs a command and collects what it wrote and the files that it left.
func runLocally(ctx context.Context, command string, run LocalRunProperties, last CommandOutput) (LocalOutput, error) {
	recorded := newRecorder(ctx, string(valueOr(run.Logging, "")))
	err := runProcess(ctx, command, run, last, recorded)
	output := LocalOutput{CommandOutput: recorded.finish()}
	if err != nil {
		return output, recorded.failure(ctx, command, err)
	}
	folder := valueOr(run.Dir, ".")
	if run.AssetPaths != nil {
		found, err := findAssets(folder, run.AssetPaths)
		if err != nil {
			return output, err
		}
		output.Assets = make(map[string]types.AssetOrArchive, len(found))
		for path, asset := range found {
			output.Assets[path] = types.AssetOrArchive{Asset: asset}
		}
	}
	if run.ArchivePaths != nil {
		found, err := findAssets(folder, run.ArchivePaths)
		if err != nil {
			return output, err
		}
		contents := make(map[string]any, len(found))
		for path, asset := range found {
			contents[path] = asset
		}
		if output.Archive, err = resource.NewAssetArchive(contents); err != nil {
			return output, err
		}
	}
	return output, nil
}

var (
	_ infer.CustomCheck[LocalCommandInputs]                     = (*LocalCommand)(nil)
	_ infer.CustomUpdate[LocalCommandInputs, LocalCommandState] = (*LocalCommand)(nil)
	_ infer.CustomDelete[LocalCommandState]                     = (*LocalCommand)(nil)
)
