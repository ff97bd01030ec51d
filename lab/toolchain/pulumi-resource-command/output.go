package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
)

// recorder collects what a command writes, and logs it line by line while the command runs.
type recorder struct {
	lock           sync.Mutex
	stdout, stderr stream
	// both streams in the order of arrival, for the error of a command that fails
	both bytes.Buffer
}

// newRecorder returns a recorder that logs the streams that the property `logging` names, without secrets.
func newRecorder(ctx context.Context, logging string) *recorder {
	hidden := secretsOf(ctx)
	log := func(line string) {
		if text := strings.TrimRight(hidden.mask(line), "\r\n"); text != "" && !hidden.hidden {
			p.GetLogger(ctx).InfoStatus(text)
		}
	}
	rec := &recorder{}
	rec.stdout.recorder, rec.stderr.recorder = rec, rec
	if logging == "" || logging == "stdoutAndStderr" || logging == "stdout" {
		rec.stdout.log = log
	}
	if logging == "" || logging == "stdoutAndStderr" || logging == "stderr" {
		rec.stderr.log = log
	}
	return rec
}

// finish logs the last lines, if they did not end in a newline, and returns the text of both streams without their last newline.
func (rec *recorder) finish() CommandOutput {
	rec.lock.Lock()
	defer rec.lock.Unlock()
	return CommandOutput{Stdout: rec.stdout.finish(), Stderr: rec.stderr.finish()}
}

// failure describes how a command failed: the reason with its exit code, the command and all that it wrote.
func (rec *recorder) failure(ctx context.Context, command string, reason error) error {
	if secretsOf(ctx).hidden {
		return fmt.Errorf("%w: neither the command nor its output is shown, because the command's text is secret. "+
			"Pass secrets in `environment` or `stdin` instead: then only they are masked", reason)
	}
	rec.lock.Lock()
	defer rec.lock.Unlock()
	return fmt.Errorf("%w: running %q:\n%s", reason, command, rec.both.String())
}

// stream is one of a command's two output streams.
type stream struct {
	recorder *recorder
	text     bytes.Buffer
	// log takes each line; nil for a stream that is not logged.
	log func(line string)
	// start of the line that is not logged yet
	logged int
}

var _ io.Writer = (*stream)(nil)

func (s *stream) Write(piece []byte) (int, error) {
	s.recorder.lock.Lock()
	defer s.recorder.lock.Unlock()
	s.text.Write(piece)
	s.recorder.both.Write(piece)
	if s.log == nil {
		return len(piece), nil
	}
	// Whole lines only: a secret that is cut in two would not be recognized.
	for {
		end := bytes.IndexByte(s.text.Bytes()[s.logged:], '\n')
		if end < 0 {
			return len(piece), nil
		}
		s.log(string(s.text.Bytes()[s.logged : s.logged+end]))
		s.logged += end + 1
	}
}

func (s *stream) finish() string {
	if s.log != nil && s.logged < s.text.Len() {
		s.log(string(s.text.Bytes()[s.logged:]))
	}
	return strings.TrimSuffix(s.text.String(), "\n")
}
