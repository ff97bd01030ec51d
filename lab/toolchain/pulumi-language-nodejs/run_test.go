package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

func withOptions(t *testing.T, options map[string]any) *pulumirpc.RunRequest {
	t.Helper()
	encoded, err := structpb.NewStruct(options)
	if err != nil {
		t.Fatal(err)
	}
	return &pulumirpc.RunRequest{Info: &pulumirpc.ProgramInfo{Options: encoded}}
}

func TestArgumentsNameMonitorEngineAndProgramAndOmitWhatIsEmpty(t *testing.T) {
	host := &languageHost{engine: "e:2"}
	req := &pulumirpc.RunRequest{
		Project: "p", Stack: "s", Pwd: "/program", MonitorAddress: "m:1", DryRun: true, Parallel: 4, Args: []string{"x"},
		Info: &pulumirpc.ProgramInfo{RootDirectory: "/program", EntryPoint: "index.ts"},
	}
	got := strings.Join(host.runArguments("run", req), " ")
	want := "run --monitor m:1 --engine e:2 --project p --root-directory /program --stack s --pwd /program --dry-run " +
		"--parallel 4 index.ts x"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestTypeScriptIsOnUnlessItIsTurnedOff(t *testing.T) {
	for _, test := range []struct {
		options map[string]any
		want    string
	}{
		{nil, "PULUMI_NODEJS_TYPESCRIPT=true"},
		{map[string]any{"typescript": true, "packagemanager": "npm"}, "PULUMI_NODEJS_TYPESCRIPT=true"},
		{map[string]any{"typescript": false}, "PULUMI_NODEJS_TYPESCRIPT=false"},
		{map[string]any{"tsconfig": "other.json"}, "PULUMI_NODEJS_TSCONFIG_PATH=other.json"},
	} {
		env, err := environment(withOptions(t, test.options))
		if err != nil || !slices.Contains(env, test.want) {
			t.Errorf("%v: got %v, %v, want %s in it", test.options, env, err, test.want)
		}
	}
	if _, err := environment(withOptions(t, map[string]any{"typescript": "no"})); err == nil {
		t.Error("a text as typescript option was accepted")
	}
}

func TestConfigurationIsEncodedEvenWhenThereIsNone(t *testing.T) {
	env, err := environment(&pulumirpc.RunRequest{})
	want := []string{"PULUMI_CONFIG={}", "PULUMI_CONFIG_SECRET_KEYS=[]", "PULUMI_NODEJS_TYPESCRIPT=true"}
	if err != nil || !slices.Equal(env, want) {
		t.Fatalf("got %v, %v", env, err)
	}
	env, err = environment(&pulumirpc.RunRequest{
		Config: map[string]string{"p:k": `"v"`}, ConfigSecretKeys: []string{"p:k"},
	})
	want = []string{`PULUMI_CONFIG={"p:k":"\"v\""}`, `PULUMI_CONFIG_SECRET_KEYS=["p:k"]`, "PULUMI_NODEJS_TYPESCRIPT=true"}
	if err != nil || !slices.Equal(env, want) {
		t.Fatalf("got %v, %v", env, err)
	}
}

func TestNodeArgumentsAreSplitAtSpacesAndQuotesRefused(t *testing.T) {
	got, err := nodeArguments(withOptions(t, map[string]any{"nodeargs": "--a  --b=c"}))
	if err != nil || !slices.Equal(got, []string{"--a", "--b=c"}) {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := nodeArguments(withOptions(t, map[string]any{"nodeargs": `--a "b c"`})); err == nil {
		t.Fatal("quotes were accepted")
	}
}

func TestExitCode32IsABailAndOthersAreTold(t *testing.T) {
	for _, test := range []struct {
		script string
		bail   bool
		told   string
	}{
		{"exit 0", false, ""},
		{"exit 32", true, ""},
		{"exit 7", false, "Program exited with non-zero exit code: 7"},
		{"kill -9 $$", false, "Program was ended by signal: killed"},
	} {
		got, err := response(exec.Command("sh", "-c", test.script).Run())
		if err != nil || got.GetBail() != test.bail || got.GetError() != test.told {
			t.Errorf("%s: got %v, %v", test.script, got, err)
		}
	}
}
