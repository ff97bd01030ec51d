package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// placeholder replaces a secret; it is the text that Pulumi itself uses.
const placeholder = "[secret]"

// shortest is the length of the shortest text that is masked, as in Pulumi: a shorter text is part of too many words.
const shortest = 3

// secrets is what one call of the provider must not show.
type secrets struct {
	// texts to mask: whole values and each of their lines, as they are and as JSON escapes them.
	texts []string
	// hidden says that the command itself is secret. Which part of it is confidential is unknown, so nothing of its text or of
	// its output is shown.
	hidden bool
	// inOutput says that the command's output may contain a secret, because one was part of what it was given.
	inOutput bool
}

type secretsKey struct{}

// secretsOf returns the secrets of the call that a context belongs to.
func secretsOf(ctx context.Context) *secrets {
	if found, ok := ctx.Value(secretsKey{}).(*secrets); ok {
		return found
	}
	return &secrets{}
}

// credentials are the properties of a connection that are confidential. The SDK marks a connection as secret as a whole, and an
// error that masks the host's name helps nobody.
var credentials = []string{"password", "privateKey", "privateKeyPassword"}

// findSecrets returns the secrets among the properties of a resource or a function.
func findSecrets(maps ...property.Map) *secrets {
	found := &secrets{}
	for _, properties := range maps {
		for key, value := range properties.All {
			if key == "connection" {
				found.addCredentials(value)
				continue
			}
			if !value.HasSecrets() {
				continue
			}
			found.addTexts(value, false)
			switch key {
			case "create", "update", "delete", "command", "interpreter":
				found.hidden, found.inOutput = true, true
			case "environment", "stdin", "stdout", "stderr":
				found.inOutput = true
			}
		}
	}
	slices.SortFunc(found.texts, func(a, b string) int { return len(b) - len(a) })
	found.texts = slices.Compact(found.texts)
	return found
}

func (s *secrets) addCredentials(connection property.Value) {
	if !connection.IsMap() {
		return
	}
	for _, key := range credentials {
		s.addTexts(connection.AsMap().Get(key), true)
	}
	s.addCredentials(connection.AsMap().Get("proxy"))
}

// addTexts adds the strings in a value that is secret, or those in the secret parts of one that is not.
func (s *secrets) addTexts(value property.Value, secret bool) {
	secret = secret || value.Secret()
	switch {
	case value.IsString() && secret:
		s.add(value.AsString())
	case value.IsArray():
		for _, element := range value.AsArray().All {
			s.addTexts(element, secret)
		}
	case value.IsMap():
		for _, element := range value.AsMap().All {
			s.addTexts(element, secret)
		}
	}
}

func (s *secrets) add(value string) {
	for _, text := range append([]string{value}, strings.Split(value, "\n")...) {
		text = strings.TrimSpace(text)
		escaped, _ := json.Marshal(text)
		for _, form := range []string{text, string(escaped[1 : len(escaped)-1])} {
			if len(form) >= shortest && form != "true" && form != "false" {
				s.texts = append(s.texts, form)
			}
		}
	}
}

// mask replaces every secret in a text; secrets that overlap or touch become one placeholder.
func (s *secrets) mask(text string) string {
	if len(s.texts) == 0 {
		return text
	}
	covered := make([]bool, len(text))
	for _, secret := range s.texts {
		for at := 0; ; at++ {
			next := strings.Index(text[at:], secret)
			if next < 0 {
				break
			}
			at += next
			for i := at; i < at+len(secret); i++ {
				covered[i] = true
			}
		}
	}
	var masked strings.Builder
	for i := range len(text) {
		switch {
		case !covered[i]:
			masked.WriteByte(text[i])
		case i == 0 || !covered[i-1]:
			masked.WriteString(placeholder)
		}
	}
	return masked.String()
}

// maskError returns an error whose text has no secret.
func (s *secrets) maskError(err error) error {
	if err == nil || s.mask(err.Error()) == err.Error() {
		return err
	}
	return errors.New(s.mask(err.Error()))
}

// markOutput makes the output of a command secret in the state if a secret went into the command or came out of it.
func (s *secrets) markOutput(outputs property.Map) property.Map {
	for _, key := range []string{"stdout", "stderr"} {
		value := outputs.Get(key)
		if value.IsString() && (s.inOutput || s.mask(value.AsString()) != value.AsString()) {
			outputs = outputs.Set(key, value.WithSecret(true))
		}
	}
	return outputs
}

// withSecrets hands every call its secrets, and masks them in the errors that it returns.
func withSecrets(inner p.Provider) p.Provider {
	outer := inner
	outer.Check = func(ctx context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		found := findSecrets(req.Inputs)
		resp, err := inner.Check(ctx, req)
		for i := range resp.Failures {
			resp.Failures[i].Reason = found.mask(resp.Failures[i].Reason)
		}
		return resp, found.maskError(err)
	}
	outer.Create = func(ctx context.Context, req p.CreateRequest) (p.CreateResponse, error) {
		found := findSecrets(req.Properties)
		resp, err := inner.Create(context.WithValue(ctx, secretsKey{}, found), req)
		resp.Properties = found.markOutput(resp.Properties)
		return resp, found.maskError(err)
	}
	outer.Update = func(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
		found := findSecrets(req.Inputs, req.State)
		resp, err := inner.Update(context.WithValue(ctx, secretsKey{}, found), req)
		resp.Properties = found.markOutput(resp.Properties)
		return resp, found.maskError(err)
	}
	outer.Delete = func(ctx context.Context, req p.DeleteRequest) error {
		found := findSecrets(req.Properties)
		return found.maskError(inner.Delete(context.WithValue(ctx, secretsKey{}, found), req))
	}
	outer.Invoke = func(ctx context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		found := findSecrets(req.Args)
		resp, err := inner.Invoke(context.WithValue(ctx, secretsKey{}, found), req)
		resp.Return = found.markOutput(resp.Return)
		return resp, found.maskError(err)
	}
	return outer
}
