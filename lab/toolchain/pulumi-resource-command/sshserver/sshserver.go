// Package sshserver is an SSH server for tests: it runs the commands of its clients on this machine, in its own process's
// environment.
package sshserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Options say who may log in. Any user name is accepted.
type Options struct {
	// Password that is accepted; none if empty.
	Password string
	// AuthorizedKey that is accepted, in the form of authorized_keys; none if empty.
	AuthorizedKey string
	// AcceptEnv is the prefix of the environment variables that are accepted; none if empty.
	AcceptEnv string
}

// Server is a running server.
type Server struct {
	Port int
	// HostKey in the form of authorized_keys.
	HostKey string
	// Forwarded receives the address of each connection that the server makes for a client.
	Forwarded chan string

	listener net.Listener
	options  Options
}

// Start starts a server on a free port of the loopback interface.
func Start(options Options) (*Server, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	config := &ssh.ServerConfig{
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if options.Password == "" || string(password) != options.Password {
				return nil, errors.New("wrong password")
			}
			return &ssh.Permissions{}, nil
		},
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if authorized(key) != strings.TrimSpace(options.AuthorizedKey) {
				return nil, errors.New("unknown key")
			}
			return &ssh.Permissions{}, nil
		},
	}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &Server{
		Port:      listener.Addr().(*net.TCPAddr).Port,
		HostKey:   authorized(signer.PublicKey()),
		Forwarded: make(chan string, 16),
		listener:  listener,
		options:   options,
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go server.serve(connection, config)
		}
	}()
	return server, nil
}

// Close stops accepting connections.
func (s *Server) Close() error { return s.listener.Close() }

func authorized(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func (s *Server) serve(transport net.Conn, config *ssh.ServerConfig) {
	defer transport.Close()
	_, channels, requests, err := ssh.NewServerConn(transport, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for one := range channels {
		switch one.ChannelType() {
		case "session":
			channel, requests, err := one.Accept()
			if err == nil {
				go s.session(channel, requests)
			}
		case "direct-tcpip":
			go s.forward(one)
		default:
			_ = one.Reject(ssh.UnknownChannelType, one.ChannelType())
		}
	}
}

// session serves one command or one SFTP client.
func (s *Server) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	var environment []string
	var command *exec.Cmd
	for request := range requests {
		var text struct{ Name, Value string }
		switch request.Type {
		case "env":
			err := ssh.Unmarshal(request.Payload, &text)
			ok := err == nil && s.options.AcceptEnv != "" && strings.HasPrefix(text.Name, s.options.AcceptEnv)
			if ok {
				environment = append(environment, text.Name+"="+text.Value)
			}
			_ = request.Reply(ok, nil)
		case "exec":
			var line struct{ Command string }
			_ = ssh.Unmarshal(request.Payload, &line)
			command = exec.Command("/bin/sh", "-c", line.Command)
			command.Env = append(command.Environ(), environment...)
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			command.Stdin, command.Stdout, command.Stderr = channel, channel, channel.Stderr()
			err := command.Start()
			_ = request.Reply(err == nil, nil)
			go func() {
				defer channel.Close()
				var status struct{ Code uint32 }
				var exit *exec.ExitError
				if err := command.Wait(); errors.As(err, &exit) {
					status.Code = uint32(exit.ExitCode())
				}
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
			}()
		case "signal":
			if command != nil {
				_ = syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
			}
		case "subsystem":
			_ = request.Reply(true, nil)
			go func() {
				defer channel.Close()
				if server, err := sftp.NewServer(channel); err == nil {
					_ = server.Serve()
				}
			}()
		default:
			_ = request.Reply(false, nil)
		}
	}
	// The client is gone.
	if command != nil && command.Process != nil {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGHUP)
	}
}

// forward connects a client to another address, as a bastion host does.
func (s *Server) forward(request ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(request.ExtraData(), &target); err != nil {
		_ = request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	address := net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
	onward, err := net.Dial("tcp", address)
	if err != nil {
		_ = request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := request.Accept()
	if err != nil {
		return
	}
	select {
	case s.Forwarded <- address:
	default:
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(onward, channel)
		_ = onward.Close()
	}()
	_, _ = io.Copy(channel, onward)
	_ = channel.Close()
}
