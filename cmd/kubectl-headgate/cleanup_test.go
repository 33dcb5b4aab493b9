package main

import (
	"strings"
	"testing"
)

// What it does is shown by test/e2e.
func TestCleanupRefusesWrongFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--all-namespaces":                     "Give --all-namespaces, or --namespace NAME", // run adds a namespace
		"--uninstall":                          "--uninstall is for the whole cluster",
		"web":                                  "unknown command",
		"--timeout 0s":                         "want more than 0s, e.g. 5m",
		"--unjudged keep":                      "want undo or ship",
		"--admission policy":                   "want KIND/NAME, e.g. MutatingWebhookConfiguration/zz-headgate",
		"--dry-run --kubeconfig testdata/none": "testdata/none",
	} {
		c := newCluster()
		if code := c.run(t, append([]string{"cleanup"}, strings.Fields(args)...)...); code != 1 || !strings.Contains(c.err.String(), want) {
			t.Errorf("cleanup %s: exit code %d, want %q: %s", args, code, want, c.err.String())
		}
	}
}

// A person reads what will happen before it does.
func TestCleanupSaysWhatItDoes(t *testing.T) {
	for want, o := range map[string]cleanupOptions{
		"every rollout of namespace shop ends":                                                     {},
		"every rollout of the cluster ends, and Headgate stops":                                    {all: true, uninstall: true},
		"every rollout of the cluster ends, and templates that are not judged go out to all users": {all: true, unjudged: "ship"},
	} {
		if got := o.what("shop"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
