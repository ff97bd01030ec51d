package main

import (
	"context"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

type referenceCase struct {
	Reference string `json:"reference"`
}

type normalReference struct {
	// As BuildKit resolves it (dockerfile2llb, resolveBaseImage).
	Full string `json:"full"`
	// As it looks for a named context (dockerui, NamedContext).
	Context string `json:"context"`
}

func normalized(_ context.Context, request referenceCase) (normalReference, error) {
	named, err := reference.ParseNormalizedNamed(request.Reference)
	if err != nil {
		return normalReference{}, err
	}
	full := reference.TagNameOnly(named)
	return normalReference{Full: full.String(), Context: reference.FamiliarString(named)}, nil
}

type syntaxCase struct {
	Text string `json:"text"`
}

type syntax struct {
	Found     bool   `json:"found"`
	Reference string `json:"reference"`
	Cmdline   string `json:"cmdline"`
	Line      int    `json:"line"`
}

func detected(_ context.Context, request syntaxCase) (syntax, error) {
	found, cmdline, location, ok := parser.DetectSyntax([]byte(request.Text))
	if !ok {
		return syntax{}, nil
	}
	return syntax{Found: true, Reference: found, Cmdline: cmdline, Line: location[0].Start.Line}, nil
}
