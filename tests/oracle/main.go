// Command oracle says what BuildKit's own code does: a case in JSON a line on its standard input, its answer a line on its
// standard output, in the same order. A mode is a function from a case to an answer; BuildKit's refusal is an answer as well.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
)

type mode func(ctx context.Context, request json.RawMessage) (any, error)

var modes = map[string]mode{
	"ignore":     answering(ignored),
	"copy":       answering(copied),
	"reads":      answering(reads),
	"llb":        answering(toLLB),
	"references": answering(normalized),
	"syntax":     answering(detected),
}

type answer struct {
	Answer any    `json:"answer,omitempty"`
	Error  string `json:"error,omitempty"`
}

func answering[Request, Answer any](decide func(context.Context, Request) (Answer, error)) mode {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var request Request
		if err := json.Unmarshal(raw, &request); err != nil {
			return nil, err
		}
		return decide(ctx, request)
	}
}

func ask(ctx context.Context, line []byte) (answer, error) {
	var request struct {
		Mode string          `json:"mode"`
		Case json.RawMessage `json:"case"`
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return answer{}, err
	}
	decide, ok := modes[request.Mode]
	if !ok {
		return answer{}, fmt.Errorf("unknown mode %q", request.Mode)
	}
	found, err := decide(ctx, request.Case)
	if err != nil {
		return answer{Error: err.Error()}, nil
	}
	return answer{Answer: found}, nil
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		found, err := ask(ctx, line)
		if err != nil {
			return err
		}
		if err := answers.Encode(found); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
