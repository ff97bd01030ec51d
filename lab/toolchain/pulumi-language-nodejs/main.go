// Command pulumi-language-nodejs runs Pulumi programs on Node.js: it answers the engine's LanguageRuntime service and
// starts @pulumi/pulumi's own runner. It stands in where the official language host, which is in no Go module that can
// be downloaded, is not installed; whatever this project does not need it refuses with what to do instead.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// version is set by the linker.
var version = "v0.0.0"

// engineCheckInterval is how long this process outlives an engine that was killed. The program does not: its Run call
// ends with the connection.
const engineCheckInterval = 5 * time.Second

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-language-nodejs: %v\n", err)
		os.Exit(1)
	}
}

func serve() error {
	// The engine passes its address, before that --tracing, and with --logflow --logtostderr and -v (glog, which the SDK
	// links, declares those two). The others are what the official host takes from older engines.
	tracing := flag.String("tracing", "", "endpoint that the program sends traces to")
	for _, name := range []string{"root", "tsconfig", "nodeargs", "packagemanager"} {
		flag.String(name, "", "accepted, not used: runtime options come with each call")
	}
	flag.Bool("typescript", true, "accepted, not used: runtime options come with each call")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	host := &languageHost{engine: flag.Arg(0), tracing: *tracing, stopped: ctx}
	if host.engine != "" {
		if err := rpcutil.Healthcheck(ctx, host.engine, engineCheckInterval, stop); err != nil {
			return fmt.Errorf("engine at %s: %w", host.engine, err)
		}
	}
	cancel := make(chan bool)
	context.AfterFunc(ctx, func() { close(cancel) })
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, host)
			return nil
		},
	})
	if err != nil {
		return err
	}
	// The engine reads the port from the first line; what follows is the program's output.
	fmt.Println(handle.Port)
	return <-handle.Done
}

type languageHost struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engine  string
	tracing string
	// stopped is done when this process has to end.
	stopped context.Context
}

func (host *languageHost) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	if req.GetEngineAddress() != "" {
		host.engine = req.GetEngineAddress()
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (host *languageHost) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

// Cancel announces that the engine is winding up. The program goes on until the engine stops this process: what is in
// progress may still need its hooks and transforms.
func (host *languageHost) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (host *languageHost) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (host *languageHost) About(context.Context, *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("node is not on PATH: %w", err)
	}
	output, err := exec.Command(node, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", node, err)
	}
	return &pulumirpc.AboutResponse{Executable: node, Version: strings.TrimSpace(string(output))}, nil
}

func (host *languageHost) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest,
	_ grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	return status.Errorf(codes.FailedPrecondition,
		"this language host installs no dependencies: run `npm ci` in %s", req.GetInfo().GetProgramDirectory())
}

func (host *languageHost) GetRequiredPackages(
	_ context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	plugins, err := requiredPlugins(req.GetInfo().GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetRequiredPackagesResponse{}
	for _, plugin := range plugins {
		response.Packages = append(response.Packages, &pulumirpc.PackageDependency{
			Name: plugin.Name, Kind: "resource", Version: plugin.Version, Server: plugin.Server,
		})
	}
	return response, nil
}

func (host *languageHost) GetProgramDependencies(
	_ context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	manifests, err := dependencies(req.GetInfo().GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, manifest := range manifests {
		response.Dependencies = append(response.Dependencies,
			&pulumirpc.DependencyInfo{Name: manifest.Name, Version: manifest.Version})
	}
	return response, nil
}
