package main

import (
	"strings"
	"testing"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

type values = map[string]property.Value

func text(value string) property.Value { return property.New(value) }

func secret(value string) property.Value { return property.New(value).WithSecret(true) }

func number(value float64) property.Value { return property.New(value) }

func list(elements ...property.Value) property.Value { return property.New(elements) }

// newServer returns the provider as the engine sees it.
func newServer(t *testing.T) integration.Server {
	t.Helper()
	server, err := integration.NewServer(t.Context(), name, semver.MustParse("1.2.1"),
		integration.WithProvider(provider()))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func urnOf(token string) urn.URN {
	return urn.URN("urn:pulumi:stack::project::" + token + "::name")
}

const localToken, remoteToken, copyToken = "command:local:Command", "command:remote:Command", "command:remote:CopyToRemote"

// create checks and creates a resource, as the engine does, and returns its state.
func create(t *testing.T, server integration.Server, token string, inputs values) (p.CreateResponse, error) {
	t.Helper()
	checked, err := server.Check(p.CheckRequest{Urn: urnOf(token), Inputs: property.NewMap(inputs)})
	if err != nil || len(checked.Failures) > 0 {
		t.Fatal(err, checked.Failures)
	}
	return server.Create(p.CreateRequest{Urn: urnOf(token), Properties: checked.Inputs})
}

func contains(t *testing.T, whole string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(whole, part) {
			t.Errorf("%q does not contain %q", whole, part)
		}
	}
}

func lacks(t *testing.T, whole string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(whole, part) {
			t.Errorf("%q contains %q", whole, part)
		}
	}
}

// The engine needs the schema to configure the provider; whether it is the right one is tested against the npm package.
func TestSchema(t *testing.T) {
	schema, err := newServer(t).GetSchema(p.GetSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, schema.Schema, localToken, remoteToken, copyToken, "command:local:run")
}

func TestRefusedInputs(t *testing.T) {
	connection := func(fields values) values { return values{"connection": property.New(fields), "create": text("true")} }
	at := func(field string, value property.Value) values {
		return connection(values{"host": text("h"), field: value})
	}
	proxied := func(field string, value property.Value) values {
		return at("proxy", property.New(values{"host": text("p"), field: value}))
	}
	cases := map[string]struct {
		token    string
		inputs   values
		property string
		reason   string
	}{
		"an unknown property": {localToken, values{"creat": text("true")}, "creat", ""},
		"a logging of another name": {localToken, values{"logging": text("all")}, "logging",
			`"all" is not allowed: use one of stdout, stderr, stdoutAndStderr, none`},
		"a variable without a name": {localToken, values{"environment": property.New(values{"": text("a")})},
			"environment", "cannot name an environment variable"},
		"a variable with =": {localToken, values{"environment": property.New(values{"A=B": text("a")})},
			"environment", `"A=B" cannot name`},
		"a broken pattern": {localToken, values{"assetPaths": list(text("[a"))}, "assetPaths", `"[a" is not a valid pattern`},
		"no connection":    {remoteToken, values{"create": text("true")}, "connection", ""},
		"an empty host":    {remoteToken, connection(values{"host": text("")}), "connection.host", "is empty"},
		"port 0":           {remoteToken, at("port", number(0)), "connection.port", "from 1 to 65535"},
		"half a port":      {remoteToken, at("port", number(22.5)), "connection.port", "22.5 is not a port"},
		"a limit of -2":    {remoteToken, at("dialErrorLimit", number(-2)), "connection.dialErrorLimit", "use -1"},
		"a negative time":  {remoteToken, at("perDialTimeout", number(-1)), "connection.perDialTimeout", "whole seconds"},
		"a host key that is none": {remoteToken, at("hostKey", text("SHA256:abc")), "connection.hostKey",
			"is not a public key"},
		"a proxy's port": {remoteToken, proxied("port", number(70000)), "connection.proxy.port", "70000 is not a port"},
		"an asset at a URI": {copyToken, values{
			"connection": property.New(values{"host": text("h")}), "remotePath": text("/a"),
			"source": property.New(&resource.Asset{Sig: resource.AssetSig, URI: "https://example.com/file"}),
		}, "source", "an asset at a URI can't be copied"},
	}
	server := newServer(t)
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			checked, err := server.Check(p.CheckRequest{Urn: urnOf(one.token), Inputs: property.NewMap(one.inputs)})
			if err != nil {
				t.Fatal(err)
			}
			if len(checked.Failures) != 1 || checked.Failures[0].Property != one.property {
				t.Fatalf("expected one failure of %s, not %v", one.property, checked.Failures)
			}
			contains(t, checked.Failures[0].Reason, one.reason)
		})
	}
}

func TestRefusedTokens(t *testing.T) {
	cases := map[string]string{
		"command:remote:CopyFile": "use command:remote:CopyToRemote",
		"command:local:Script":    "this provider has command:local:Command",
	}
	server := newServer(t)
	for token, expected := range cases {
		_, err := server.Check(p.CheckRequest{Urn: urnOf(token)})
		if err == nil {
			t.Fatalf("%s was accepted", token)
		}
		contains(t, err.Error(), token, expected)
	}
	if _, err := server.Invoke(p.InvokeRequest{Token: "command:local:walk"}); err == nil {
		t.Fatal("command:local:walk was accepted")
	}
}

func TestUnknownInputsAreNotChecked(t *testing.T) {
	unknown := property.New(property.Computed)
	checked, err := newServer(t).Check(p.CheckRequest{Urn: urnOf(remoteToken), Inputs: property.NewMap(values{
		"create": unknown, "logging": unknown, "connection": property.New(values{"host": unknown, "hostKey": unknown}),
	})})
	if err != nil || len(checked.Failures) > 0 {
		t.Fatal(err, checked.Failures)
	}
}
