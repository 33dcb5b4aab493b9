package main

import (
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout/cleanup"
)

func TestCleanupFlags(t *testing.T) {
	f, set := newCleanupFlags()
	args := []string{
		"--all-namespaces", "--uninstall", "--managers=gate", "--unjudged=ship", "--timeout=90s",
		"--admission", "MutatingAdmissionPolicyBinding/one", "--admission=MutatingAdmissionPolicy/two",
	}
	if err := f.parse(set, args); err != nil {
		t.Fatal(err)
	}
	if !f.all || !f.uninstall || f.managers != "gate" || f.unjudged != unjudged(cleanup.Ship) || f.timeout != 90*time.Second {
		t.Errorf("%+v", f)
	}
	if len(f.admission) != 2 || f.admission[1].String() != "MutatingAdmissionPolicy/two" {
		t.Errorf("admission is %v", f.admission)
	}
}

func TestCleanupRefusesWrongFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                                      "Give --all-namespaces, or --namespace NAME",
		"--all-namespaces -n shop":              "Give --all-namespaces, or --namespace NAME",
		"-n shop --uninstall":                   "--uninstall is for the whole cluster",
		"-n shop web":                           `unexpected argument "web"`,
		"-n shop --timeout 0s":                  "want more than 0s, e.g. 5m",
		"-n shop --unjudged keep":               "want undo or ship",
		"--all-namespaces --admission policy":   "want KIND/NAME, e.g. MutatingWebhookConfiguration/zz-headgate",
		"--all-namespaces --delete-the-cluster": "headgate cleanup --help lists the flags",
	} {
		err := run(t.Context(), append([]string{"cleanup"}, strings.Fields(args)...), nil, &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("headgate cleanup %s: %v, want %q", args, err, want)
		}
	}
}

func TestCleanupHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"cleanup", "--help"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Usage: headgate cleanup", "\n  --dry-run\n", "\n  -n name\n", "(default 5m0s)", "(default undo)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, out.String())
		}
	}
}
