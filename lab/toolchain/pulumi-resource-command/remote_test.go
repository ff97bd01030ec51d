package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"golang.org/x/crypto/ssh"

	"layered-images/toolchain/pulumi-resource-command/sshserver"
)

const password = "a long password"

// keyPair returns a private key in PEM, encrypted if there is a passphrase, and the public key as authorized_keys has it.
func keyPair(t *testing.T, passphrase string) (private, public string) {
	t.Helper()
	publicKey, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewPublicKey(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer)))
}

func startSSH(t *testing.T, options sshserver.Options) *sshserver.Server {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "")
	server, err := sshserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// connectionTo returns the connection to a server, with these fields in addition.
func connectionTo(server *sshserver.Server, fields values) property.Value {
	all := values{
		"host": text("127.0.0.1"), "port": number(float64(server.Port)), "hostKey": text(server.HostKey),
		"dialErrorLimit": number(0),
	}
	for key, value := range fields {
		all[key] = value
	}
	return property.New(all).WithSecret(true)
}

func TestLogins(t *testing.T) {
	private, public := keyPair(t, "")
	locked, lockedPublic := keyPair(t, "open sesame")
	other, _ := keyPair(t, "")
	cases := map[string]struct {
		authorized string
		fields     values
		// part of the error; empty if the login succeeds
		failure string
	}{
		"a password":            {"", values{"password": text(password)}, ""},
		"a wrong password":      {"", values{"password": text("another password")}, "unable to authenticate"},
		"a key":                 {public, values{"privateKey": text(private)}, ""},
		"a key before password": {public, values{"privateKey": text(private), "password": text("wrong one")}, ""},
		"an unknown key":        {public, values{"privateKey": text(other)}, "unable to authenticate"},
		"an encrypted key":      {lockedPublic, values{"privateKey": text(locked), "privateKeyPassword": text("open sesame")}, ""},
		"a key without its password": {lockedPublic, values{"privateKey": text(locked)},
			"privateKey is encrypted: set `privateKeyPassword`"},
		"a key with a wrong password": {lockedPublic, values{"privateKey": text(locked), "privateKeyPassword": text("wrong one")},
			"privateKey with privateKeyPassword"},
		"a key that is none": {public, values{"privateKey": text("no key at all")}, "privateKey: "},
		"nothing":            {public, values{}, "set `privateKey`, `password` or `agentSocketPath`"},
		"no agent": {public, values{"agentSocketPath": text("/no/such/socket")},
			"the SSH agent does not answer"},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			server := startSSH(t, sshserver.Options{Password: password, AuthorizedKey: one.authorized})
			created, err := create(t, newServer(t), remoteToken, values{
				"create": text("echo hello"), "connection": connectionTo(server, one.fields),
			})
			if one.failure == "" {
				if err != nil || created.Properties.Get("stdout").AsString() != "hello" {
					t.Fatal(err, created.Properties)
				}
				return
			}
			if err == nil {
				t.Fatal("the login succeeded")
			}
			contains(t, err.Error(), one.failure)
			lacks(t, err.Error(), "another password", "wrong one", "open sesame")
		})
	}
}

func TestHostKey(t *testing.T) {
	server := startSSH(t, sshserver.Options{Password: password})
	other := startSSH(t, sshserver.Options{})
	started := time.Now()
	_, err := create(t, newServer(t), remoteToken, values{"create": text("true"), "connection": connectionTo(server, values{
		"password": text(password), "hostKey": text(other.HostKey), "dialErrorLimit": number(-1),
	})})
	if err == nil {
		t.Fatal("a wrong host key was accepted")
	}
	contains(t, err.Error(), "the server's key is not `hostKey`", "SHA256:")
	if time.Since(started) > 5*time.Second {
		t.Error("a wrong host key was tried again")
	}
}

func TestProxy(t *testing.T) {
	target := startSSH(t, sshserver.Options{Password: password})
	proxy := startSSH(t, sshserver.Options{Password: "the proxy's password"})
	through := func(fields values) property.Value {
		all := values{
			"host": text("127.0.0.1"), "port": number(float64(proxy.Port)), "hostKey": text(proxy.HostKey),
			"password": text("the proxy's password"), "dialErrorLimit": number(0),
		}
		for key, value := range fields {
			all[key] = value
		}
		return connectionTo(target, values{"password": text(password), "proxy": property.New(all)})
	}
	server := newServer(t)
	created, err := create(t, server, remoteToken, values{"create": text("echo hello"), "connection": through(nil)})
	if err != nil || created.Properties.Get("stdout").AsString() != "hello" {
		t.Fatal(err, created.Properties)
	}
	if address := <-proxy.Forwarded; address != fmt.Sprintf("127.0.0.1:%d", target.Port) {
		t.Error(address)
	}
	_, err = create(t, server, remoteToken, values{
		"create": text("true"), "connection": through(values{"hostKey": text(target.HostKey)}),
	})
	if err == nil {
		t.Fatal("a wrong host key of the proxy was accepted")
	}
	contains(t, err.Error(), "connection.proxy", "the server's key is not `hostKey`")
}

func TestRemoteFailure(t *testing.T) {
	server := startSSH(t, sshserver.Options{Password: password})
	_, err := create(t, newServer(t), remoteToken, values{
		"create": text("echo to stdout; echo to stderr >&2; cat; exit 7"), "stdin": secret("confidential"),
		"connection": connectionTo(server, values{"password": text(password)}),
	})
	if err == nil {
		t.Fatal("the command did not fail")
	}
	contains(t, err.Error(), "exit status 7: running", "to stdout", "to stderr", placeholder)
	lacks(t, err.Error(), "confidential", password)
}

func TestRemoteVariables(t *testing.T) {
	run := func(t *testing.T, accept string, inputs values) (p.CreateResponse, error) {
		server := startSSH(t, sshserver.Options{Password: password, AcceptEnv: accept})
		inputs["connection"] = connectionTo(server, values{"password": text(password)})
		return create(t, newServer(t), remoteToken, inputs)
	}
	inputs := func() values {
		return values{"create": text(`echo "$APP_MODE"`), "environment": property.New(values{"APP_MODE": text("live")})}
	}
	created, err := run(t, "APP_", inputs())
	if err != nil || created.Properties.Get("stdout").AsString() != "live" {
		t.Fatal(err, created.Properties)
	}
	_, err = run(t, "", inputs())
	if err == nil {
		t.Fatal("a variable was lost without an error")
	}
	contains(t, err.Error(), "did not accept the variable APP_MODE", "AcceptEnv")
}

func TestPreviousOutputOfARemoteCommand(t *testing.T) {
	for accept, expected := range map[string]string{"PULUMI_": "was first", "": "was "} {
		server := startSSH(t, sshserver.Options{Password: password, AcceptEnv: accept})
		connection := connectionTo(server, values{"password": text(password)})
		inputs := property.NewMap(values{"create": text(`echo "was $PULUMI_COMMAND_STDOUT"`), "connection": connection})
		updated, err := newServer(t).Update(p.UpdateRequest{
			ID: "id", Urn: urnOf(remoteToken), Inputs: inputs,
			State: inputs.Set("stdout", text("first")).Set("stderr", text("")),
		})
		if err != nil || updated.Properties.Get("stdout").AsString() != expected {
			t.Error(accept, err, updated.Properties)
		}
	}
}

func TestDialErrorLimit(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	_, err = create(t, newServer(t), remoteToken, values{"create": text("true"), "connection": property.New(values{
		"host": text("127.0.0.1"), "port": number(float64(port)), "password": text(password), "dialErrorLimit": number(2),
	})})
	if err == nil {
		t.Fatal("connected to nobody")
	}
	contains(t, err.Error(), "gave up after 3 attempts", "connection refused")
}

func TestServerThatIsSilent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	started := time.Now()
	_, err = create(t, newServer(t), remoteToken, values{"create": text("true"), "connection": property.New(values{
		"host": text("127.0.0.1"), "port": number(float64(listener.Addr().(*net.TCPAddr).Port)),
		"password": text(password), "dialErrorLimit": number(0), "perDialTimeout": number(1),
	})})
	if err == nil || time.Since(started) > 10*time.Second {
		t.Fatal(err, time.Since(started))
	}
	contains(t, err.Error(), "gave up after 1 attempts")
}

func TestCancelEndsARemoteCommand(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	ssh := startSSH(t, sshserver.Options{Password: password})
	server := newServer(t)
	failed := make(chan error, 1)
	go func() {
		_, err := server.Create(p.CreateRequest{Urn: urnOf(remoteToken), Properties: property.NewMap(values{
			"create":     text("sleep 300 & echo $! >> " + pids + "; wait"),
			"connection": connectionTo(ssh, values{"password": text(password)}),
		})})
		failed <- err
	}()
	started := readPids(t, pids, 1)
	if err := server.Cancel(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Error(err)
	}
	waitFor(t, "end of the process", func() bool { return !alive(started[0]) })
}

func TestCopyToRemote(t *testing.T) {
	ssh := startSSH(t, sshserver.Options{Password: password})
	connection := connectionTo(ssh, values{"password": text(password)})
	asset := func(asset *resource.Asset, err error) property.Value { return property.New(must(t, asset, err)) }
	archive := func(archive *resource.Archive, err error) property.Value { return property.New(must(t, archive, err)) }
	source := t.TempDir()
	writeFiles(t, source, "file.txt", "tree/a.txt", "tree/deep/b.txt")
	at := func(name string) string { return filepath.Join(source, name) }
	cases := map[string]struct {
		source property.Value
		remote string
		// file that exists afterwards; empty if the copy fails
		file    string
		failure string
	}{
		"a text":                      {asset(resource.NewTextAsset("hello")), "new.txt", "new.txt", ""},
		"a text over a file":          {asset(resource.NewTextAsset("hello")), "old.txt", "old.txt", ""},
		"a text to a folder":          {asset(resource.NewTextAsset("hello")), "folder", "", "is a folder"},
		"a file":                      {asset(resource.NewPathAsset(at("file.txt"))), "new.txt", "new.txt", ""},
		"a file to a folder":          {asset(resource.NewPathAsset(at("file.txt"))), "folder", "folder/file.txt", ""},
		"a folder":                    {archive(resource.NewPathArchive(at("tree"))), "new", "new/tree/deep/b.txt", ""},
		"a folder to a folder":        {archive(resource.NewPathArchive(at("tree"))), "folder", "folder/tree/a.txt", ""},
		"what is in a folder":         {archive(resource.NewPathArchive(at("tree") + "/")), "folder", "folder/deep/b.txt", ""},
		"a folder over a file":        {archive(resource.NewPathArchive(at("tree"))), "old.txt", "", "is a file"},
		"a file in no folder":         {asset(resource.NewPathAsset(at("file.txt"))), "none/new.txt", "", "none/new.txt"},
		"what is in a folder, nested": {archive(resource.NewPathArchive(at("tree") + "/")), "new", "new/a.txt", ""},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			target := t.TempDir()
			writeFiles(t, target, "old.txt", "folder/kept.txt")
			_, err := create(t, newServer(t), copyToken, values{
				"connection": connection, "source": one.source, "remotePath": text(filepath.Join(target, one.remote)),
			})
			if one.failure != "" {
				if err == nil {
					t.Fatal("the copy succeeded")
				}
				contains(t, err.Error(), one.failure)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(filepath.Join(target, one.file))
			if err != nil || string(content) == "old.txt" || len(content) == 0 {
				t.Error(string(content), err)
			}
		})
	}
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}
