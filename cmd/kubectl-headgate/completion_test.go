package main

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// complete returns what a shell shows for a command line, whose last word is the one that was begun.
func (c *cluster) complete(t *testing.T, words ...string) []string {
	t.Helper()
	var out bytes.Buffer
	s := streams{out: &out, err: &bytes.Buffer{}, environ: func(string) string { return "" }}
	root := newRoot(s, &clients{apps: c.AppsV1(), core: c.CoreV1(), events: c.EventsV1(), network: c.NetworkingV1()})
	root.SetArgs(append([]string{"__complete"}, words...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; last != ":4" {
		t.Errorf("the shell is told %q, want no files (:4)", last)
	}
	return lines[:len(lines)-1]
}

func TestComplete(t *testing.T) {
	plain := at("", func(d *appsv1.Deployment, _ *rollout.State) { d.Name, d.Annotations = "plain", nil })
	waits := at(spec.Paused, func(d *appsv1.Deployment, s *rollout.State) { d.Name, s.Step, s.Weight = "waits", 3, 50 })
	back := at(spec.RolledBack, func(d *appsv1.Deployment, s *rollout.State) { d.Name, s.Mode = "back", rollout.ModeRolledBack })
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	ship := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ship"}}
	c := newCluster(at(spec.Progressing, unchanged), plain, waits, back, shop, ship)
	config := t.TempDir() + "/config"
	if err := os.WriteFile(config, []byte("contexts:\n- {name: east}\n- {name: west}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]string{
		"-n shop status ":                        {"back\tRolledBack", "waits\tPaused, step 4 of 5", "web\tProgressing, step 2 of 5"},
		"-n shop explain w":                      {"waits\tPaused, step 4 of 5", "web\tProgressing, step 2 of 5"},
		"-n shop history deploy/we":              {"deploy/web\tProgressing, step 2 of 5"},
		"-n shop plan we":                        {"web\tProgressing, step 2 of 5"},
		"-n shop doctor we":                      {"web\tProgressing, step 2 of 5"},
		"-n shop events web ":                    {}, // there is one name only
		"-n shop retry ":                         {"back\tRolledBack"},
		"-n shop abort ":                         {"waits\tPaused, step 4 of 5", "web\tProgressing, step 2 of 5"},
		"-n other status ":                       {},
		"status -n sho":                          {"shop"},
		"status --namespace sh":                  {"ship", "shop"},
		"--kubeconfig " + config + " --context ": {"east", "west"},
		"list -o w":                              {"wide"},
		"convert -f x -o ":                       {"json"},
	} {
		got := c.complete(t, strings.Split(line, " ")...)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// Without rights there is nothing to complete, and no error in the middle of a line.
func TestCompleteWithoutRights(t *testing.T) {
	c := newCluster()
	c.PrependReactor("list", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: a.GetResource().Resource}, "", errors.New("not for you"))
	})
	for _, line := range []string{"-n shop status ", "status -n "} {
		if got := c.complete(t, strings.Split(line, " ")...); len(got) > 0 {
			t.Errorf("%q: got %q", line, got)
		}
	}
}

func TestCompletionForKubectl(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "completion", "kubectl"); code != 0 || !strings.HasPrefix(c.out.String(), "#!/bin/sh\n") ||
		!strings.Contains(c.out.String(), `exec kubectl-headgate __complete "$@"`) {
		t.Errorf("exit code %d:\n%s%s", code, c.out.String(), c.err.String())
	}
}
