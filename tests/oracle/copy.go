package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	gofs "io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/continuity/fs"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	fscopy "github.com/tonistiigi/fsutil/copy"
	"github.com/tonistiigi/fsutil/types"
)

type copyRequest struct {
	// Folder of the build context.
	Context string `json:"context"`
	// Text of the ignore file.
	Ignore string `json:"ignore"`
	// Text of a Dockerfile of one stage that only copies from the context.
	Dockerfile string `json:"dockerfile"`
}

type copyAnswer struct {
	// What the image holds: the content of a file, the target of a link, nothing for a folder.
	Files   map[string]string `json:"files"`
	Links   map[string]string `json:"links"`
	Folders []string          `json:"folders"`
}

// copied says what an image holds after its Dockerfile's COPY instructions.
func copied(ctx context.Context, request copyRequest) (copyAnswer, error) {
	answer := copyAnswer{Files: map[string]string{}, Links: map[string]string{}, Folders: []string{}}
	ops, err := instructions(ctx, request.Dockerfile)
	if err != nil {
		return answer, err
	}
	excludes, err := ignorefile.ReadAll(strings.NewReader(request.Ignore))
	if err != nil {
		return answer, err
	}
	work, err := os.MkdirTemp("", "layered-images-oracle-")
	if err != nil {
		return answer, err
	}
	defer os.RemoveAll(work)
	sent, image := filepath.Join(work, "sent"), filepath.Join(work, "image")
	for _, folder := range []string{sent, image} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return answer, err
		}
	}
	for _, op := range ops {
		if source := op.GetSource(); source != nil && source.Identifier == "local://context" {
			if err := send(ctx, request.Context, sent, excludes, source.Attrs); err != nil {
				return answer, err
			}
		}
	}
	for _, op := range ops {
		for _, action := range op.GetFile().GetActions() {
			if action.GetCopy() == nil {
				return answer, fmt.Errorf("only COPY is looked at, not %v", action)
			}
			if err := copyInto(ctx, sent, image, action.GetCopy()); err != nil {
				return answer, err
			}
		}
	}
	return answer, list(image, &answer)
}

// instructions gives what a Dockerfile becomes, each step after those that it stands on.
func instructions(ctx context.Context, dockerfile string) ([]*pb.Op, error) {
	caps := pb.Caps.CapSet(pb.Caps.All())
	result, err := dockerfile2llb.Dockerfile2LLB(ctx, []byte(dockerfile), dockerfile2llb.ConvertOpt{LLBCaps: &caps})
	if err != nil {
		return nil, err
	}
	definition, err := result.State.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	var ops []*pb.Op
	for _, bytes := range definition.Def {
		op := &pb.Op{}
		if err := op.UnmarshalVT(bytes); err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// send transfers a context as a client does for session/filesync.
func send(ctx context.Context, from, to string, excludes []string, attrs map[string]string) error {
	var follow []string
	if paths := attrs[pb.AttrFollowPaths]; paths != "" {
		if err := json.Unmarshal([]byte(paths), &follow); err != nil {
			return err
		}
	}
	all, err := fsutil.NewFS(from)
	if err != nil {
		return err
	}
	filtered, err := fsutil.NewFilterFS(all, &fsutil.FilterOpt{ExcludePatterns: excludes, FollowPaths: follow})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	there, back := make(chan *types.Packet, 64), make(chan *types.Packet, 64)
	client, builder := &stream{ctx, back, there}, &stream{ctx, there, back}
	failed := make(chan error, 1)
	go func() {
		failed <- fsutil.Send(ctx, client, filtered, nil)
		close(there)
	}()
	own := func(_ string, stat *types.Stat) bool {
		stat.Uid, stat.Gid = uint32(os.Getuid()), uint32(os.Getgid())
		return true
	}
	if err := fsutil.Receive(ctx, builder, to, fsutil.ReceiveOpt{Filter: own}); err != nil {
		return err
	}
	return <-failed
}

// stream is one end of a connection within this process.
type stream struct {
	ctx      context.Context
	incoming <-chan *types.Packet
	outgoing chan<- *types.Packet
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) SendMsg(message any) error {
	// The sender uses its buffers again.
	packet := message.(*types.Packet).CloneVT()
	select {
	case <-s.ctx.Done():
		return s.ctx.Err()
	case s.outgoing <- packet:
		return nil
	}
}

func (s *stream) RecvMsg(message any) error {
	select {
	case <-s.ctx.Done():
		return s.ctx.Err()
	case packet, open := <-s.incoming:
		if !open {
			return io.EOF
		}
		bytes, err := packet.MarshalVT()
		if err != nil {
			return err
		}
		into := message.(*types.Packet)
		into.Reset()
		return into.UnmarshalVT(bytes)
	}
}

// copyInto carries an action out as solver/llbsolver/file does, whose function is not exported.
func copyInto(ctx context.Context, sent, image string, action *pb.FileActionCopy) error {
	source := filepath.Join("/", action.Src)
	sources := []string{source}
	if action.AllowWildcard {
		found, err := fscopy.ResolveWildcards(sent, source, action.FollowSymlink)
		if err != nil {
			return err
		}
		if len(found) == 0 && !action.AllowEmptyWildcard {
			return fmt.Errorf("%s not found", source)
		}
		sources = found
	}
	// The cache looks for these before it lets an action run.
	for _, required := range action.RequiredPaths {
		found, err := fs.RootPath(sent, required)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(found); err != nil {
			return fmt.Errorf("%s not found", required)
		}
	}
	target := action.Dest
	for _, one := range sources {
		err := fscopy.Copy(ctx, sent, one, image, target, fscopy.WithCopyInfo(fscopy.CopyInfo{
			IncludePatterns:                action.IncludePatterns,
			ExcludePatterns:                action.ExcludePatterns,
			CopyDirContents:                action.DirCopyContents,
			FollowLinks:                    action.FollowSymlink,
			AlwaysReplaceExistingDestPaths: action.AlwaysReplaceExistingDestPaths,
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

func list(image string, answer *copyAnswer) error {
	return filepath.WalkDir(image, func(file string, entry gofs.DirEntry, err error) error {
		if err != nil || file == image {
			return err
		}
		name, err := filepath.Rel(image, file)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			answer.Folders = append(answer.Folders, name)
		case entry.Type() == gofs.ModeSymlink:
			answer.Links[name], err = os.Readlink(file)
		case entry.Type() == 0:
			var content []byte
			content, err = os.ReadFile(file)
			answer.Files[name] = string(content)
		default:
			err = errors.New("neither a file nor a folder or link: " + name)
		}
		return err
	})
}
