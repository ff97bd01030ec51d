package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote is the resource command:remote:CopyToRemote.
type CopyToRemote struct{}

// Annotate names the resource.
func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.Describe(&c, "Copies a file, a folder or a text to another machine, over SFTP.")
	a.SetToken("remote", "CopyToRemote")
}

// CopyToRemoteInputs are the inputs of command:remote:CopyToRemote.
type CopyToRemoteInputs struct {
	Connection Connection           `pulumi:"connection" provider:"secret"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// CopyToRemoteState is the state of command:remote:CopyToRemote.
type CopyToRemoteState struct{ CopyToRemoteInputs }

// Check refuses what can't be copied.
func (*CopyToRemote) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[CopyToRemoteInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyToRemoteInputs](ctx, req.NewInputs)
	failures = append(failures, checkConnection(req.NewInputs)...)
	refuse := func(what string) {
		failures = append(failures, p.CheckFailure{Property: "source", Reason: what +
			" can't be copied: use a FileAsset, a StringAsset, or a FileArchive of a file or a folder"})
	}
	switch source := req.NewInputs.Get("source"); {
	case source.IsAsset() && !source.AsAsset().IsPath() && !source.AsAsset().IsText():
		refuse("an asset at a URI")
	case source.IsArchive() && !source.AsArchive().IsPath():
		refuse("an archive that is not a path")
	}
	return infer.CheckResponse[CopyToRemoteInputs]{Inputs: inputs, Failures: failures}, err
}

// Create copies.
func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyToRemoteInputs],
) (infer.CreateResponse[CopyToRemoteState], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun {
		err = req.Inputs.copy(ctx)
	}
	return infer.CreateResponse[CopyToRemoteState]{ID: id, Output: CopyToRemoteState{req.Inputs}}, err
}

// Update copies again. What the last copy left, possibly elsewhere, stays.
func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyToRemoteInputs, CopyToRemoteState],
) (infer.UpdateResponse[CopyToRemoteState], error) {
	var err error
	if !req.DryRun {
		err = req.Inputs.copy(ctx)
	}
	return infer.UpdateResponse[CopyToRemoteState]{Output: CopyToRemoteState{req.Inputs}}, err
}

// copy copies the source.
func (c CopyToRemoteInputs) copy(ctx context.Context) error {
	client, err := c.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer client.close()
	defer context.AfterFunc(ctx, client.close)()
	files, err := sftp.NewClient(client.Client)
	if err != nil {
		return fmt.Errorf("%s offers no SFTP: %w", c.Connection.Host, err)
	}
	defer files.Close()
	if asset := c.Source.Asset; asset != nil && asset.IsText() {
		return copyText(files, asset.Text, c.RemotePath)
	}
	return copyPath(files, c.sourcePath(), c.RemotePath)
}

func (c CopyToRemoteInputs) sourcePath() string {
	if c.Source.Asset != nil {
		return c.Source.Asset.Path
	}
	return c.Source.Archive.Path
}

// kindAt returns whether there is a folder or something else at a remote path.
func kindAt(files *sftp.Client, path string) (exists, folder bool, err error) {
	info, err := files.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("%s: %w", path, err)
	}
	return true, info.IsDir(), nil
}

func copyText(files *sftp.Client, text, target string) error {
	_, folder, err := kindAt(files, target)
	if err != nil {
		return err
	}
	if folder {
		return fmt.Errorf("remotePath: %s is a folder, and a text has no name: add one", target)
	}
	return write(files, strings.NewReader(text), target)
}

// copyPath copies a file or a folder:
//
//	source   target is a folder    target does not exist   target is a file
//	file     target/file           target                  target, overwritten
//	folder   target/folder         target/folder           error
//	folder/  its content in target its content in target   error
func copyPath(files *sftp.Client, source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	exists, folder, err := kindAt(files, target)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if folder {
			target = path.Join(target, filepath.Base(source))
		}
		return copyFile(files, source, target)
	}
	if exists && !folder {
		return fmt.Errorf("remotePath: %s is a file, and %s is a folder", target, source)
	}
	if err := makeFolder(files, target); err != nil {
		return err
	}
	if !strings.HasSuffix(source, "/") {
		target = path.Join(target, filepath.Base(source))
	}
	return fs.WalkDir(os.DirFS(source), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return makeFolder(files, path.Join(target, name))
		default:
			return copyFile(files, filepath.Join(source, name), path.Join(target, name))
		}
	})
}

func makeFolder(files *sftp.Client, target string) error {
	exists, folder, err := kindAt(files, target)
	if err != nil {
		return err
	}
	if exists && !folder {
		return fmt.Errorf("%s is not a folder on the remote machine", target)
	}
	if exists {
		return nil
	}
	if err := files.Mkdir(target); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return nil
}

func copyFile(files *sftp.Client, source, target string) error {
	local, err := os.Open(source)
	if err != nil {
		return err
	}
	defer local.Close()
	return write(files, local, target)
}

func write(files *sftp.Client, content io.Reader, target string) error {
	remote, err := files.Create(target)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	_, err = remote.ReadFrom(content)
	if err := errors.Join(err, remote.Close()); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return nil
}

var (
	_ infer.CustomCheck[CopyToRemoteInputs]                     = (*CopyToRemote)(nil)
	_ infer.CustomUpdate[CopyToRemoteInputs, CopyToRemoteState] = (*CopyToRemote)(nil)
)
