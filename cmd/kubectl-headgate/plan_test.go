package main

import (
	"encoding/json"
	"strings"
	"testing"

	"gotest.tools/v3/golden"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/cmd/kubectl-headgate/plan"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func TestPlan(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "plan", "-f", "testdata/plan.yaml", "web"); code != 0 {
		t.Fatal(c.err.String())
	}
	golden.Assert(t, c.out.String(), "plan.golden")
	if len(c.Actions()) > 0 {
		t.Errorf("plan -f asked the cluster: %v", c.Actions())
	}
}

// The plan of a Deployment in the cluster is that of its manifest, and knows its ConfigMap.
func TestPlanOfTheCluster(t *testing.T) {
	dep := at("", func(d *appsv1.Deployment, _ *rollout.State) {
		d.Annotations = map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationSteps: "20%, 10m, pause",
			spec.AnnotationAnalysis: "configmap/rules, most=3%", spec.AnnotationPromotion: "rolling"}
	})
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rules"},
		Data: map[string]string{"parameters": "most: 1%", "analysis": "errors: at-most {{most}}"}}
	c := newCluster(dep, cm)
	if code := c.run(t, "plan", "web", "-o", "json", "--rps", "100", "--fault", "5%"); code != 0 {
		t.Fatal(c.err.String())
	}
	var seen struct{ Items []plan.Plan }
	if err := json.Unmarshal(c.out.Bytes(), &seen); err != nil || len(seen.Items) != 1 {
		t.Fatalf("%v: %s", err, c.out.String())
	}
	p := seen.Items[0]
	if p.Least != 600 || !p.Person || p.Extra != 2 || len(p.Steps) != 3 || p.Steps[0].Pods != 1 {
		t.Errorf("got %+v", p)
	}
	if len(p.Tests) != 1 || p.Tests[0].Allowed != 0.03 || p.Tests[0].Rungs[0].Half == 0 || p.Tests[0].Rungs[0].Stays != 600 {
		t.Errorf("the tests are %+v", p.Tests)
	}
}

func TestPlanFitsTheTerminal(t *testing.T) {
	c := newCluster()
	if code := c.run(t, "plan", "-f", "testdata/plan.yaml", "web", "-o", "json"); code != 0 {
		t.Fatal(c.err.String())
	}
	var seen struct{ Items []plan.Plan }
	if err := json.Unmarshal(c.out.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{40, 60, 100} {
		drawn := draw.Plan(seen.Items[0], draw.Look{Width: width})
		if !strings.Contains(drawn, "1 pod    10%\n") {
			t.Errorf("with %d columns a step is not on its line:\n%s", width, drawn)
		}
		for line := range strings.SplitSeq(drawn, "\n") {
			if len(line) > width {
				t.Errorf("%d columns are asked for, and a line has %d: %s", width, len(line), line)
			}
		}
	}
}

func TestPlanErrors(t *testing.T) {
	plain := at("", func(d *appsv1.Deployment, _ *rollout.State) { d.Annotations = nil })
	for args, want := range map[string]string{
		"plan":                                  "Give its name",
		"plan web":                              "has no annotation headgate.dev/strategy",
		"plan -f testdata/lint/shared.yaml web": "is among the files",
		"plan -f testdata/lint/broken.yaml web": "kubectl headgate lint",
		"plan -f testdata/plan.yaml --error-rate many":       "want a percentage",
		"plan -f testdata/plan.yaml --rps 0 --error-rate 1%": "want more than 0",
	} {
		c := newCluster(plain)
		if code := c.run(t, strings.Fields(args)...); code != 1 || !strings.Contains(c.err.String(), want) {
			t.Errorf("%s: exit code %d, want %q: %s", args, code, want, c.err.String())
		}
	}
}
