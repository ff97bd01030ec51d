package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// Lifecycle has the properties of both kinds of command that say what runs when.
type Lifecycle struct {
	Create *string `pulumi:"create,optional"`
	Update *string `pulumi:"update,optional"`
	Delete *string `pulumi:"delete,optional"`
	// A changed trigger replaces the resource. (The SDK asks the engine for that, too.)
	Triggers *[]any `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// onUpdate returns the command of an update; nil if there is none.
func (l Lifecycle) onUpdate() *string {
	if l.Update != nil {
		return l.Update
	}
	return l.Create
}

// Run has the properties of everything that runs a command.
type Run struct {
	Environment            map[string]string `pulumi:"environment,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
}

// CommandOutput is what a command wrote, without the newline at the end.
type CommandOutput struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// variable is an environment variable.
type variable struct{ name, value string }

// previous returns the environment variables with the output of the last run.
func (r Run) previous(last CommandOutput) []variable {
	if r.AddPreviousOutputInEnv != nil && !*r.AddPreviousOutputInEnv {
		return nil
	}
	var found []variable
	for _, one := range []variable{{"PULUMI_COMMAND_STDOUT", last.Stdout}, {"PULUMI_COMMAND_STDERR", last.Stderr}} {
		if one.value != "" {
			found = append(found, one)
		}
	}
	return found
}

// variables returns the environment variables that the program sets, in the order of their names.
func (r Run) variables() []variable {
	var found []variable
	for _, key := range slices.Sorted(maps.Keys(r.Environment)) {
		found = append(found, variable{key, r.Environment[key]})
	}
	return found
}

var loggings = []string{"stdout", "stderr", "stdoutAndStderr", "none"}

func loggingValues[T ~string]() []infer.EnumValue[T] {
	return []infer.EnumValue[T]{
		{Name: "Stdout", Value: "stdout", Description: "Logs stdout, not stderr"},
		{Name: "Stderr", Value: "stderr", Description: "Logs stderr, not stdout"},
		{Name: "StdoutAndStderr", Value: "stdoutAndStderr", Description: "Logs stdout and stderr"},
		{Name: "None", Value: "none", Description: "Logs nothing"},
	}
}

// checkRun returns what is wrong with the properties that all commands have in common. Values that a preview does not know yet are
// not checked.
func checkRun(inputs property.Map) []p.CheckFailure {
	var failures []p.CheckFailure
	logging := inputs.Get("logging")
	if logging.IsString() && !slices.Contains(loggings, logging.AsString()) {
		failures = append(failures, p.CheckFailure{
			Property: "logging",
			Reason:   fmt.Sprintf("%q is not allowed: use one of %s", logging.AsString(), strings.Join(loggings, ", ")),
		})
	}
	if environment := inputs.Get("environment"); environment.IsMap() {
		for key := range environment.AsMap().AllStable {
			if key == "" || strings.ContainsAny(key, "=\x00") {
				failures = append(failures, p.CheckFailure{
					Property: "environment",
					Reason:   fmt.Sprintf("%q cannot name an environment variable: it is empty or contains \"=\"", key),
				})
			}
		}
	}
	return failures
}

func valueOr[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}
