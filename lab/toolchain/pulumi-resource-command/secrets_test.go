package main

import (
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestMask(t *testing.T) {
	cases := map[string]struct {
		secrets  []string
		text     string
		expected string
	}{
		"no secret":                  {nil, "a password", "a password"},
		"a value":                    {[]string{"hunter2"}, "it is hunter2.", "it is [secret]."},
		"a line of a value":          {[]string{"first line\nsecond line"}, "got second line", "got [secret]"},
		"a value over several lines": {[]string{"first\nsecond"}, "[first\nsecond]", "[[secret]]"},
		"a value in JSON":            {[]string{"first\nse\"cond"}, `{"a":"first\nse\"cond"}`, `{"a":"[secret]"}`},
		"values that overlap":        {[]string{"abcd", "cdef"}, "xabcdefx", "x[secret]x"},
		"a value in another one":     {[]string{"abc", "abcdef"}, "abcdef abc", "[secret] [secret]"},
		"the last character":         {[]string{"abc"}, "abc", "[secret]"},
		"a value that is too short":  {[]string{"ab"}, "ab", "ab"},
		"a word that is no secret":   {[]string{"true"}, "true", "true"},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			inputs := values{}
			for i, value := range one.secrets {
				inputs[string(rune('a'+i))] = secret(value)
			}
			found := findSecrets(property.NewMap(inputs))
			if masked := found.mask(one.text); masked != one.expected {
				t.Errorf("expected %q, not %q", one.expected, masked)
			}
		})
	}
}

func TestSecretsOfAConnection(t *testing.T) {
	proxy := property.New(values{"host": text("bastion"), "password": text("proxy word")})
	found := findSecrets(property.NewMap(values{"connection": property.New(values{
		"host": text("server"), "user": text("deployer"), "password": text("pass word"),
		"privateKey": text("key\nkey line"), "proxy": proxy,
	}).WithSecret(true)}))
	masked := found.mask("deployer server bastion pass word key line proxy word")
	if masked != "deployer server bastion [secret] [secret] [secret]" {
		t.Error(masked)
	}
}

// A command that prints what it was given, and fails.
const leak = `printf '%s\n' "$TOKEN"; cat; exit 3`

func TestFailuresShowNoSecret(t *testing.T) {
	server := newServer(t)
	cases := map[string]values{
		"variables": {"create": text(leak), "stdin": text("public"), "environment": property.New(values{
			"TOKEN": secret("confidential\nsecond secret line"),
		})},
		"stdin":       {"create": text(leak), "stdin": secret("confidential\nsecond secret line")},
		"the command": {"create": secret(`echo confidential; echo "second secret line"; exit 3`)},
	}
	for name, inputs := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := create(t, server, localToken, inputs)
			if err == nil {
				t.Fatal("the command did not fail")
			}
			contains(t, err.Error(), "exit status 3")
			lacks(t, err.Error(), "confidential", "second secret line")
		})
	}
}

func TestSecretsStaySecretInTheState(t *testing.T) {
	server := newServer(t)
	cases := map[string]struct {
		inputs values
		secret bool
	}{
		"no secret":         {values{"create": text("echo hello")}, false},
		"a secret trigger":  {values{"create": text("echo hello"), "triggers": list(secret("value"))}, false},
		"a secret stdin":    {values{"create": text("cat"), "stdin": secret("value")}, true},
		"a secret command":  {values{"create": secret("echo value")}, true},
		"a printed trigger": {values{"create": text("echo value"), "triggers": list(secret("value"))}, true},
		"a secret variable": {values{"create": text("env"), "environment": property.New(values{"A": secret("v")})}, true},
		"a secret argument": {values{"create": text("x"), "interpreter": list(text("echo"), secret("v"))}, true},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			created, err := create(t, server, localToken, one.inputs)
			if err != nil {
				t.Fatal(err)
			}
			if created.Properties.Get("stdout").Secret() != one.secret {
				t.Errorf("stdout: %#v", created.Properties.Get("stdout"))
			}
			for key, value := range one.inputs {
				if value.HasSecrets() != created.Properties.Get(key).HasSecrets() {
					t.Errorf("%s: %#v", key, created.Properties.Get(key))
				}
			}
		})
	}
}

func TestSecretsOfADeletedCommand(t *testing.T) {
	err := newServer(t).Delete(p.DeleteRequest{ID: "id", Urn: urnOf(localToken), Properties: property.NewMap(values{
		"delete": text(`echo "$PULUMI_COMMAND_STDOUT"; exit 4`), "stdout": secret("confidential"), "stderr": text(""),
	})})
	if err == nil {
		t.Fatal("the command did not fail")
	}
	contains(t, err.Error(), "exit status 4", placeholder)
	lacks(t, err.Error(), "confidential")
}
