package main

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
)

// pictured is a picture that has seen a rollout.
func pictured(t *testing.T) *picture {
	t.Helper()
	p := &picture{look: draw.Look{Width: 100, Height: 40, Signs: true}}
	if _, quit := p.Update(seen{status: summary(at(spec.Progressing, unchanged), time.Now())}); quit != nil {
		t.Fatal("a reading ends the picture")
	}
	return p
}

// An API server that does not answer is asked again; what cannot get better ends the picture.
func TestPictureOutlivesAnOutage(t *testing.T) {
	deployments := schema.GroupResource{Resource: "deployments"}
	for name, tt := range map[string]struct {
		err  error
		ends bool
	}{
		"no answer":   {&url.Error{Op: "Get", URL: "https://cluster", Err: errors.New("connection refused")}, false},
		"overload":    {apierrors.NewTooManyRequests("later", 1), false},
		"unavailable": {apierrors.NewServiceUnavailable("etcd has no leader"), false},
		"deleted":     {apierrors.NewNotFound(deployments, "web"), true},
		"no right":    {apierrors.NewForbidden(deployments, "web", errors.New("not for you")), true},
	} {
		t.Run(name, func(t *testing.T) {
			p := pictured(t)
			_, quit := p.Update(seen{err: tt.err})
			if tt.ends != (quit != nil) || tt.ends != (p.err != nil) {
				t.Fatalf("it ends: %v, want %v", quit != nil, tt.ends)
			}
			text := p.View().Content
			if !tt.ends && (!strings.Contains(text, "it is read again") || !strings.Contains(text, "rollout 7")) {
				t.Errorf("the picture is\n%s", text)
			}
			if p.Update(seen{status: p.status}); strings.Contains(p.View().Content, "it is read again") {
				t.Error("it is still said after a reading")
			}
		})
	}
}

func TestPictureFirstReadingFails(t *testing.T) {
	p := &picture{}
	if _, quit := p.Update(seen{err: &url.Error{Err: errors.New("connection refused")}}); quit == nil || p.err == nil {
		t.Error("it waits for a cluster that never answered")
	}
}

// The picture takes the size of the terminal, and counts the time between two readings.
func TestPictureFollowsTheTerminal(t *testing.T) {
	p := pictured(t)
	for _, height := range []int{5, 12, 30} {
		p.Update(tea.WindowSizeMsg{Width: 70, Height: height})
		if lines := strings.Count(p.View().Content, "\n") + 1; lines > height {
			t.Errorf("%d lines, want at most %d:\n%s", lines, height, p.View().Content)
		}
	}
	before := p.View().Content
	p.Update(second(p.status.At.Add(30 * time.Second)))
	if p.View().Content == before {
		t.Error("the countdown stands still")
	}
}

// The course of a metric has each value once, and the last ones.
func TestPictureRemembers(t *testing.T) {
	p := &picture{}
	for i := range maxPast + 10 {
		metric := status.Metric{Name: "errors", Verdict: rollout.Pass, Canary: &status.Counted{Share: float64(i / 2)}}
		p.Update(seen{status: status.Status{Name: "web", Analysis: &status.Analysis{Metrics: []status.Metric{metric}}}})
	}
	past := p.look.Past["errors"]
	if len(past) != (maxPast+10)/2 || past[0] != 0 || past[len(past)-1] != float64((maxPast+9)/2) {
		t.Errorf("got %v", past)
	}
}
