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
	"github.com/moby/patternmatcher"
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
	// Text of a Dockerfile of one stage that only copies and mounts from the context.
	Dockerfile string `json:"dockerfile"`
}

type copyAnswer struct {
	// What the image holds, what is mounted included: the content of a file, the target of a link, nothing for a folder.
	Files   map[string]string `json:"files"`
	Links   map[string]string `json:"links"`
	Folders []string          `json:"folders"`
}

// copied says what an image holds after its Dockerfile's COPY instructions, and what its RUN instructions see at their mounts.
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
		for _, mount := range op.GetExec().GetMounts() {
			if mount.Dest == "/" {
				continue
			}
			if err := mountInto(ctx, sent, image, mount); err != nil {
				return answer, err
			}
		}
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
	// The cache reads the patterns whether or not there is something to match.
	for _, patterns := range [][]string{action.IncludePatterns, action.ExcludePatterns} {
		if _, err := patternmatcher.New(patterns); err != nil {
			return err
		}
	}
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
	if err := required(sent, source, action); err != nil {
		return err
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

// required says whether what an action needs is there: the cache (cache/contenthash, includedPaths, which needs a worker's store) looks for
// it among what is chosen below the source, before it lets the action run.
func required(sent, source string, action *pb.FileActionCopy) error {
	if len(action.RequiredPaths) == 0 {
		return nil
	}
	include, err := patternmatcher.New(action.IncludePatterns)
	if err != nil {
		return err
	}
	exclude, err := patternmatcher.New(action.ExcludePatterns)
	if err != nil {
		return err
	}
	base := sent
	if source != "/" {
		// A link at the very end is not followed.
		above, err := fs.RootPath(sent, filepath.Dir(source))
		if err != nil {
			return err
		}
		base = filepath.Join(above, filepath.Base(source))
	}
	type results struct{ include, exclude patternmatcher.MatchInfo }
	folders := map[string]results{}
	found := map[string]bool{}
	err = filepath.WalkDir(base, func(file string, _ gofs.DirEntry, err error) error {
		if err != nil || file == base {
			return err
		}
		name, err := filepath.Rel(base, file)
		if err != nil {
			return err
		}
		above := folders[filepath.Dir(name)]
		isIn, in, err := include.MatchesUsingParentResults(name, above.include)
		if err != nil {
			return err
		}
		isOut, out, err := exclude.MatchesUsingParentResults(name, above.exclude)
		if err != nil {
			return err
		}
		folders[name] = results{in, out}
		for _, one := range action.RequiredPaths {
			found[one] = found[one] || isIn && !isOut && strings.HasPrefix(filepath.Join(source, name), one)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range action.RequiredPaths {
		if !found[one] {
			return fmt.Errorf("%s not found", one)
		}
	}
	return nil
}

// mountInto copies what a step would see in a mount of the context.
func mountInto(ctx context.Context, sent, image string, mount *pb.Mount) error {
	source := filepath.Join("/", mount.Selector)
	return fscopy.Copy(ctx, sent, source, image, mount.Dest, fscopy.WithCopyInfo(fscopy.CopyInfo{
		CopyDirContents: true,
		FollowLinks:     true,
	}))
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
