package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

func TestSlimReplicaSet(t *testing.T) {
	for name, tc := range map[string]struct {
		wanted  *int32
		running int32
		keeps   bool
	}{
		"an active one keeps its template":          {ptr.To[int32](3), 3, true},
		"one that starts keeps its template":        {ptr.To[int32](3), 0, true},
		"one that stops keeps it while it has pods": {ptr.To[int32](0), 1, true},
		"an old one loses its template":             {ptr.To[int32](0), 0, false},
		"one without a number defaults to one pod":  {nil, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{}}}}
			rs.Spec.Replicas, rs.Status.Replicas = tc.wanted, tc.running
			rs.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app"}}
			got, err := slimReplicaSet(rs)
			if err != nil {
				t.Fatal(err)
			}
			slim := got.(*appsv1.ReplicaSet)
			if keeps := len(slim.Spec.Template.Spec.Containers) == 1; keeps != tc.keeps {
				t.Errorf("keeps its template: %t, want %t", keeps, tc.keeps)
			}
			if slim.ManagedFields != nil {
				t.Error("keeps its managed fields")
			}
		})
	}
	tombstone := cache.DeletedFinalStateUnknown{Key: "shop/web"}
	if got, err := slimReplicaSet(tombstone); err != nil || got != any(tombstone) {
		t.Errorf("a tombstone became %v, %v", got, err)
	}
}

func TestDelayDone(t *testing.T) {
	parent, stop := context.WithCancel(t.Context())
	ctx := delayDone(parent, 50*time.Millisecond)
	stop()
	stopped := time.Now()
	if ctx.Err() != nil {
		t.Fatal("done at once")
	}
	<-ctx.Done()
	if lasted := time.Since(stopped); lasted < 50*time.Millisecond {
		t.Errorf("lasted %v, want 50ms or more", lasted)
	}
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	logger := newLogger(&out, slog.LevelInfo, jsonFormat)
	logger.V(1).Info("detail")
	logger.Info("transition", "deployment", "shop/web")
	var line struct{ Msg, Level, Deployment string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("want one line of JSON, got %q: %v", out.String(), err)
	}
	if line.Msg != "transition" || line.Level != "INFO" || line.Deployment != "shop/web" {
		t.Errorf("got %+v", line)
	}
	out.Reset()
	newLogger(&out, slog.LevelDebug, textFormat).V(1).Info("detail")
	if !bytes.Contains(out.Bytes(), []byte("msg=detail")) {
		t.Errorf("debug hides V(1): %q", out.String())
	}
}

func TestPrometheusIsOptional(t *testing.T) {
	if api, err := newPrometheus(""); api != nil || err != nil {
		t.Errorf("without an address: %v, %v", api, err)
	}
	if api, err := newPrometheus("http://prometheus:9090"); api == nil || err != nil {
		t.Errorf("with an address: %v, %v", api, err)
	}
}
