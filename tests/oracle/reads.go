package main

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type readsRequest struct {
	Dockerfile string            `json:"dockerfile"`
	BuildArgs  map[string]string `json:"buildArgs"`
	Target     string            `json:"target"`
	// Platform that is built for.
	Platform string `json:"platform"`
	// Platform of the builder.
	Builder string `json:"builder"`
	// External images by full reference, where they hold more than files.
	Images map[string]readsImage `json:"images"`
}

type readsImage struct {
	OnBuild []string `json:"onBuild"`
	Env     []string `json:"env"`
}

type readsCopy struct {
	Source  string   `json:"source"`
	Include []string `json:"include"`
	Exclude []string `json:"exclude"`
}

type readsReference struct {
	Reference string `json:"reference"`
	Platform  string `json:"platform"`
}

type readsSecret struct {
	ID       string `json:"id"`
	Required bool   `json:"required"`
}

// Each list holds what steps of the build read, in no order that means anything.
type readsAnswer struct {
	// What COPY and ADD take from the build context.
	Copies []readsCopy `json:"copies"`
	// Paths of the build context that RUN mounts.
	Mounts []string `json:"mounts"`
	// Paths of the build context that are asked of the client.
	Asked []string `json:"asked"`
	// External images that steps stand on, and all whose configuration is asked for.
	References []readsReference `json:"references"`
	Resolved   []readsReference `json:"resolved"`
	Secrets    []readsSecret    `json:"secrets"`
}

// reads says what a build of a Dockerfile takes from outside.
func reads(ctx context.Context, request readsRequest) (readsAnswer, error) {
	answer := readsAnswer{
		Copies: []readsCopy{}, Mounts: []string{}, Asked: []string{}, References: []readsReference{}, Secrets: []readsSecret{},
	}
	target, err := platforms.Parse(request.Platform)
	if err != nil {
		return answer, err
	}
	builder, err := platforms.Parse(request.Builder)
	if err != nil {
		return answer, err
	}
	images := &resolver{images: request.Images, asked: []readsReference{}}
	caps := pb.Caps.CapSet(pb.Caps.All())
	options := dockerfile2llb.ConvertOpt{LLBCaps: &caps, MetaResolver: images, TargetPlatform: &target}
	options.BuildArgs = request.BuildArgs
	options.Target = request.Target
	options.BuildPlatforms = []ocispecs.Platform{builder}
	result, err := dockerfile2llb.Dockerfile2LLB(ctx, []byte(request.Dockerfile), options)
	if err != nil {
		return answer, err
	}
	definition, err := result.State.Marshal(ctx)
	if err != nil {
		return answer, err
	}
	ops := make([]*pb.Op, len(definition.Def))
	for index, bytes := range definition.Def {
		ops[index] = &pb.Op{}
		if err := ops[index].UnmarshalVT(bytes); err != nil {
			return answer, err
		}
	}
	answer.Resolved = images.asked
	local := map[string]bool{}
	for index, op := range ops {
		source := op.GetSource()
		if source == nil {
			continue
		}
		if reference, ok := strings.CutPrefix(source.Identifier, "docker-image://"); ok {
			platform := platforms.Format(ocispecs.Platform{
				OS: op.Platform.OS, Architecture: op.Platform.Architecture, Variant: op.Platform.Variant,
			})
			answer.References = append(answer.References, readsReference{Reference: reference, Platform: platform})
		}
		if source.Identifier != "local://context" {
			continue
		}
		local[digest.FromBytes(definition.Def[index]).String()] = true
		if paths := source.Attrs[pb.AttrFollowPaths]; paths != "" {
			if err := json.Unmarshal([]byte(paths), &answer.Asked); err != nil {
				return answer, err
			}
		}
	}
	for _, op := range ops {
		isLocal := func(input int64) bool {
			return input >= 0 && int(input) < len(op.Inputs) && local[op.Inputs[input].Digest]
		}
		for _, action := range op.GetFile().GetActions() {
			copied := action.GetCopy()
			if copied == nil || !isLocal(action.SecondaryInput) {
				continue
			}
			answer.Copies = append(answer.Copies, readsCopy{
				Source: copied.Src, Include: orNone(copied.IncludePatterns), Exclude: orNone(copied.ExcludePatterns),
			})
		}
		for _, mount := range op.GetExec().GetMounts() {
			if mount.MountType == pb.MountType_SECRET {
				answer.Secrets = append(answer.Secrets, readsSecret{ID: mount.SecretOpt.ID, Required: !mount.SecretOpt.Optional})
			} else if isLocal(mount.Input) {
				answer.Mounts = append(answer.Mounts, path.Join("/", mount.Selector))
			}
		}
		for _, secret := range op.GetExec().GetSecretenv() {
			answer.Secrets = append(answer.Secrets, readsSecret{ID: secret.ID, Required: !secret.Optional})
		}
	}
	return answer, nil
}

func orNone(patterns []string) []string {
	if patterns == nil {
		return []string{}
	}
	return patterns
}

// resolver answers for registries: it has every image.
type resolver struct {
	images map[string]readsImage
	mutex  sync.Mutex
	asked  []readsReference
	calls  int
}

func (r *resolver) ResolveImageConfig(
	_ context.Context, reference string, options sourceresolver.Opt,
) (string, digest.Digest, []byte, error) {
	platform := *options.ImageOpt.Platform
	asked := readsReference{Reference: reference, Platform: platforms.Format(platform)}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !slices.Contains(r.asked, asked) {
		r.asked = append(r.asked, asked)
	}
	// BuildKit looks at triggers of images that are only copied from, and never ends where one of them names its own image.
	if r.calls++; r.calls > 50 {
		return "", "", nil, errors.New("endless triggers")
	}
	image := dockerspec.DockerOCIImage{}
	image.Platform = platform
	// One without layers would pass for FROM scratch.
	image.RootFS = ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString(strings.ToLower(reference))}}
	image.Config.OnBuild = r.images[reference].OnBuild
	image.Config.Env = r.images[reference].Env
	config, err := json.Marshal(image)
	return reference, "", config, err
}
