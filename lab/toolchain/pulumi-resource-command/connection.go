package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Endpoint says how to reach an SSH server and how to log in.
type Endpoint struct {
	Host               string   `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional"`
	PrivateKey         *string  `pulumi:"privateKey,optional"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
	// Errors that are allowed before the connection is given up; -1 means any number.
	DialErrorLimit *int `pulumi:"dialErrorLimit,optional"`
	// Seconds for each attempt; 0 means any time.
	PerDialTimeout *int `pulumi:"perDialTimeout,optional"`
}

// Annotate sets the defaults, which are those of the SDK.
func (e *Endpoint) Annotate(a infer.Annotator) {
	a.SetDefault(&e.Port, 22)
	a.SetDefault(&e.User, "root")
	a.SetDefault(&e.DialErrorLimit, 10)
	a.SetDefault(&e.PerDialTimeout, 15)
}

// Connection is an endpoint that may be reached through another one.
type Connection struct {
	Endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// Annotate names the type.
func (c *Connection) Annotate(a infer.Annotator) { a.SetToken("remote", "Connection") }

// ProxyConnection is an endpoint on the way to another one.
type ProxyConnection struct{ Endpoint }

// Annotate names the type.
func (c *ProxyConnection) Annotate(a infer.Annotator) { a.SetToken("remote", "ProxyConnection") }

// checkConnection returns what is wrong with the known values of a connection.
func checkConnection(inputs property.Map) []p.CheckFailure {
	var failures []p.CheckFailure
	fail := func(path, format string, args ...any) {
		failures = append(failures, p.CheckFailure{Property: path, Reason: fmt.Sprintf(format, args...)})
	}
	whole := func(value property.Value, from, to float64) bool {
		return !value.IsNumber() || value.AsNumber() == math.Trunc(value.AsNumber()) && value.AsNumber() >= from &&
			value.AsNumber() <= to
	}
	check := func(path string, value property.Value) {
		if !value.IsMap() {
			return
		}
		endpoint := value.AsMap()
		if host := endpoint.Get("host"); host.IsString() && host.AsString() == "" {
			fail(path+".host", "is empty: name the machine to connect to")
		}
		if port := endpoint.Get("port"); !whole(port, 1, 65535) {
			fail(path+".port", "%v is not a port: use a whole number from 1 to 65535", port.AsNumber())
		}
		if limit := endpoint.Get("dialErrorLimit"); !whole(limit, -1, math.MaxInt32) {
			fail(path+".dialErrorLimit", "%v is not allowed: use -1 (any number of errors), 0 or more", limit.AsNumber())
		}
		if timeout := endpoint.Get("perDialTimeout"); !whole(timeout, 0, math.MaxInt32) {
			fail(path+".perDialTimeout", "%v is not allowed: use whole seconds, or 0 for no limit", timeout.AsNumber())
		}
		if key := endpoint.Get("hostKey"); key.IsString() {
			if _, err := readHostKey(key.AsString()); err != nil {
				fail(path+".hostKey", "%v", err)
			}
		}
	}
	check("connection", inputs.Get("connection"))
	if connection := inputs.Get("connection"); connection.IsMap() {
		check("connection.proxy", connection.AsMap().Get("proxy"))
	}
	return failures
}

func readHostKey(text string) (ssh.PublicKey, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return nil, errors.New("is not a public key: use the form of the server's /etc/ssh/ssh_host_*_key.pub, " +
			"for example \"ssh-ed25519 AAAA…\"")
	}
	return key, nil
}

// client is an SSH connection with the one to the proxy that carries it.
type client struct {
	*ssh.Client
	proxy *ssh.Client
}

func (c *client) close() {
	_ = c.Close()
	if c.proxy != nil {
		_ = c.proxy.Close()
	}
}

// dial connects, through the proxy if there is one, and logs in. Errors that may pass are tried again.
func (c Connection) dial(ctx context.Context) (*client, error) {
	direct := func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if c.Proxy == nil {
		target, err := c.connect(ctx, "connection", direct)
		return &client{Client: target}, err
	}
	proxy, err := c.Proxy.connect(ctx, "connection.proxy", direct)
	if err != nil {
		return nil, err
	}
	target, err := c.connect(ctx, "connection", func(ctx context.Context, address string) (net.Conn, error) {
		return proxy.DialContext(ctx, "tcp", address)
	})
	if err != nil {
		_ = proxy.Close()
		return nil, err
	}
	return &client{Client: target, proxy: proxy}, nil
}

// errHostKey is the error of a server with another key than the expected one: it is not tried again.
var errHostKey = errors.New("the server's key is not `hostKey`")

// connect opens the connection to one server, which is called by its path in the inputs.
func (e Endpoint) connect(
	ctx context.Context, path string, dial func(ctx context.Context, address string) (net.Conn, error),
) (*ssh.Client, error) {
	address := net.JoinHostPort(e.Host, strconv.Itoa(int(valueOr(e.Port, 22))))
	config, done, err := e.clientConfig(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer done()
	limit, wait := valueOr(e.DialErrorLimit, 10), 100*time.Millisecond
	for failed := 1; ; failed++ {
		connected, err := e.attempt(ctx, address, config, dial)
		switch {
		case err == nil:
			return connected, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %s: cancelled", path, address)
		case errors.Is(err, errHostKey):
			return nil, fmt.Errorf("%s: %s: %w", path, address, err)
		case limit >= 0 && failed > limit:
			return nil, fmt.Errorf("%s: %s: gave up after %d attempts: %w", path, address, failed, err)
		}
		p.GetLogger(ctx).InfoStatusf("%s: attempt %d failed, trying again", address, failed)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(wait*3/2, 5*time.Second)
	}
}

func (e Endpoint) attempt(
	ctx context.Context, address string, config *ssh.ClientConfig,
	dial func(ctx context.Context, address string) (net.Conn, error),
) (*ssh.Client, error) {
	if seconds := valueOr(e.PerDialTimeout, 15); seconds > 0 {
		limited, stop := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer stop()
		ctx = limited
	}
	transport, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	// A connection through a proxy knows no deadlines, and a cancelled update ends the handshake, too.
	stop := context.AfterFunc(ctx, func() { _ = transport.Close() })
	connection, channels, requests, err := ssh.NewClientConn(transport, address, config)
	if err != nil || !stop() {
		_ = transport.Close()
		return nil, errors.Join(err, ctx.Err())
	}
	return ssh.NewClient(connection, channels, requests), nil
}

// warned has the servers for which this process has said that their key is not checked.
var warned sync.Map

// clientConfig returns the settings of a login: private key before password before agent. The function that it returns closes
// the connection to the agent.
func (e Endpoint) clientConfig(ctx context.Context, address string) (*ssh.ClientConfig, func(), error) {
	done := func() {}
	config := &ssh.ClientConfig{User: valueOr(e.User, "root")}
	if e.HostKey == nil {
		if _, already := warned.LoadOrStore(address, true); !already {
			p.GetLogger(ctx).Warningf("the key of %s is not checked, so any server can pretend to be it: "+
				"set `hostKey` of the connection to the content of its /etc/ssh/ssh_host_ed25519_key.pub", address)
		}
		config.HostKeyCallback = ssh.InsecureIgnoreHostKey()
	} else {
		key, err := readHostKey(*e.HostKey)
		if err != nil {
			return nil, done, fmt.Errorf("hostKey: %w", err)
		}
		config.HostKeyAlgorithms = algorithms(key)
		config.HostKeyCallback = func(_ string, _ net.Addr, presented ssh.PublicKey) error {
			if err := ssh.FixedHostKey(key)("", nil, presented); err != nil {
				return fmt.Errorf("%w: it is %s, expected %s", errHostKey,
					ssh.FingerprintSHA256(presented), ssh.FingerprintSHA256(key))
			}
			return nil
		}
	}
	if e.PrivateKey != nil {
		signer, err := readPrivateKey(*e.PrivateKey, e.PrivateKeyPassword)
		if err != nil {
			return nil, done, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = *e.Password
				}
				return answers, nil
			}))
	}
	if socket := valueOr(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); socket != "" {
		connection, err := net.Dial("unix", socket)
		if err != nil && (e.AgentSocketPath != nil || len(config.Auth) == 0) {
			return nil, done, fmt.Errorf("the SSH agent does not answer: %w", err)
		}
		if err == nil {
			done = func() { _ = connection.Close() }
			config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(connection).Signers))
		}
	}
	if len(config.Auth) == 0 {
		return nil, done, errors.New("there is nothing to log in with: set `privateKey`, `password` or `agentSocketPath`, " +
			"or start an SSH agent (SSH_AUTH_SOCK)")
	}
	return config, done, nil
}

func readPrivateKey(text string, password *string) (ssh.Signer, error) {
	if password != nil {
		signer, err := ssh.ParsePrivateKeyWithPassphrase([]byte(text), []byte(*password))
		if err != nil {
			return nil, fmt.Errorf("privateKey with privateKeyPassword: %w", err)
		}
		return signer, nil
	}
	signer, err := ssh.ParsePrivateKey([]byte(text))
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, errors.New("privateKey is encrypted: set `privateKeyPassword`")
	}
	if err != nil {
		return nil, fmt.Errorf("privateKey: %w", err)
	}
	return signer, nil
}

// algorithms returns those that make a server present the key of this type, and no other key that it has.
func algorithms(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return []string{key.Type()}
}
