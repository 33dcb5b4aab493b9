package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/headgate/headgate/rollout/spec"
)

// Path is where the webhook server serves Deployments.
const Path = "/mutate-deployments"

// Deployments is the admission handler for creates and updates of Deployments in
// apps/v1. Call SetupWithManager before it handles anything.
type Deployments struct {
	// Manager is the user name that the manager writes as, in full:
	// "system:serviceaccount:NAMESPACE:NAME".
	Manager string

	// CheckAnalysis is as in Request. nil accepts every text.
	CheckAnalysis func(text string) error

	// CheckGates is as in Request. nil accepts every gate.
	CheckGates func([]spec.Gate) error

	// Registerer gets the metrics headgate_webhook_decisions_total{decision} and
	// headgate_bypass_total{reason}. nil means that of controller-runtime.
	Registerer prometheus.Registerer

	decoder   admission.Decoder
	decisions *prometheus.CounterVec
	bypasses  *prometheus.CounterVec
}

// SetupWithManager registers d at Path of mgr's webhook server, and its metrics.
// The webhook runs on every replica, leader or not.
func (d *Deployments) SetupWithManager(mgr ctrl.Manager) error {
	if d.Registerer == nil {
		d.Registerer = metrics.Registry
	}
	if err := d.setup(admission.NewDecoder(mgr.GetScheme())); err != nil {
		return err
	}
	mgr.GetWebhookServer().Register(Path, &admission.Webhook{Handler: d})
	return nil
}

func (d *Deployments) setup(decoder admission.Decoder) error {
	d.decoder = decoder
	d.decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headgate_webhook_decisions_total",
		Help: "Writes to opted-in Deployments by what became of them, without dry runs.",
	}, []string{"decision"})
	d.bypasses = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headgate_bypass_total",
		Help: "Templates that went out without a canary, by reason, as seen at admission.",
	}, []string{"reason"})
	for _, c := range []prometheus.Collector{d.decisions, d.bypasses} {
		if err := d.Registerer.Register(c); err != nil {
			return fmt.Errorf("register the webhook's metrics: %w", err)
		}
	}
	return nil
}

// Handle implements admission.Handler. Scaling and status are none of its
// business, should a hand-made webhook configuration send them.
func (d *Deployments) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.SubResource != "" || req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	r, err := d.request(req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	out := Mutate(r)
	if req.DryRun == nil || !*req.DryRun {
		d.record(ctx, out)
	}
	return respond(r, out)
}

func (d *Deployments) request(req admission.Request) (Request, error) {
	r := Request{
		New:           &appsv1.Deployment{},
		ByManager:     req.UserInfo.Username == d.Manager,
		CheckAnalysis: d.CheckAnalysis,
		CheckGates:    d.CheckGates,
	}
	if err := d.decoder.DecodeRaw(req.Object, r.New); err != nil {
		return Request{}, fmt.Errorf("decode object: %w", err)
	}
	if req.Operation == admissionv1.Update {
		r.Old = &appsv1.Deployment{}
		if err := d.decoder.DecodeRaw(req.OldObject, r.Old); err != nil {
			return Request{}, fmt.Errorf("decode oldObject: %w", err)
		}
	}
	return r, nil
}

// record counts and logs. The API server may call twice for one write (see
// Mutate), and then both calls count.
func (d *Deployments) record(ctx context.Context, out Outcome) {
	d.decisions.WithLabelValues(string(out.Decision)).Inc()
	if out.Bypass != "" {
		d.bypasses.WithLabelValues(string(out.Bypass)).Inc()
	}
	if out.Decision == Allowed {
		return
	}
	var fields []any // controller-runtime adds the object and the user
	if out.Deployment != nil {
		fields = append(fields, "rollout", out.Deployment.Annotations[spec.AnnotationRollout])
	}
	if out.Bypass != "" {
		fields = append(fields, "bypass", out.Bypass)
	}
	if out.Denial != "" {
		fields = append(fields, "denial", out.Denial)
	}
	log.FromContext(ctx).Info(string(out.Decision), fields...)
}

// respond patches the difference between two encodings of the same Go type,
// not between the bytes that came and one encoding: a field that is newer than this
// program's API types would be missing in the latter, and be deleted.
func respond(r Request, out Outcome) admission.Response {
	if out.Decision == Denied {
		return admission.Denied(out.Denial)
	}
	before, err := json.Marshal(r.New)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("encode object: %w", err))
	}
	after, err := json.Marshal(out.Deployment)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("encode patched object: %w", err))
	}
	return admission.PatchResponseFromRaw(before, after).WithWarnings(out.Warnings...)
}
