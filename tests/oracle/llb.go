package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

type llbRequest struct {
	// Text of a Dockerfile.
	Dockerfile string            `json:"dockerfile"`
	Target     string            `json:"target"`
	BuildArgs  map[string]string `json:"buildArgs"`
	// Platform that is built for, such as linux/amd64.
	Platform string `json:"platform"`
}

type llbAnswer struct {
	// Over the steps that BuildKit would do, in order.
	Steps string `json:"steps"`
	// Configuration of the image, in JSON.
	Image json.RawMessage `json:"image"`
}

// images answers for every image with a configuration of nothing but its platform.
type images struct{}

func (images) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"diff_ids": []digest.Digest{digest.FromString(ref)}}}
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		config["architecture"] = opt.ImageOpt.Platform.Architecture
		config["variant"] = opt.ImageOpt.Platform.Variant
	}
	bytes, err := json.Marshal(config)
	return ref, digest.FromBytes([]byte(ref)), bytes, err
}

// toLLB says what BuildKit makes of a Dockerfile.
func toLLB(ctx context.Context, request llbRequest) (llbAnswer, error) {
	var answer llbAnswer
	caps := pb.Caps.CapSet(pb.Caps.All())
	target, err := platforms.Parse(request.Platform)
	if err != nil {
		return answer, err
	}
	if request.BuildArgs == nil {
		request.BuildArgs = map[string]string{}
	}
	result, err := dockerfile2llb.Dockerfile2LLB(ctx, []byte(request.Dockerfile), dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{Target: request.Target, BuildArgs: request.BuildArgs},
		TargetPlatform: &target,
		LLBCaps:        &caps,
		MetaResolver:   images{},
	})
	if err != nil {
		return answer, err
	}
	// Otherwise it would be another one each time.
	definition, err := result.State.Marshal(ctx, llb.LocalUniqueID("client"))
	if err != nil {
		return answer, err
	}
	steps := sha256.New()
	for _, op := range definition.Def {
		steps.Write(op)
	}
	answer.Steps = hex.EncodeToString(steps.Sum(nil))
	answer.Image, err = json.Marshal(result.Image)
	return answer, err
}
