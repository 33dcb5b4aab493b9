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

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Path is where the webhook server serves Deployments.
const Path = "/mutate-deployments"

// Handler is the admission handler for creates and updates of Deployments in
// apps/v1. Call SetupWithManager before it handles anything.
type Handler struct {
	// Manager is the user name that the manager writes as, in full:
	// "system:serviceaccount:NAMESPACE:NAME".
	Manager string

	// CheckAnalysis is as in Request. nil accepts every text.
	CheckAnalysis func(text string) error

	// CheckGates is as in Request. nil accepts every gate.
	CheckGates func([]spec.Gate) error

	// Registerer receives the metrics headgate_webhook_decisions_total{decision} and
	// headgate_bypass_total{reason}. nil means the registry of controller-runtime.
	Registerer prometheus.Registerer

	decoder   admission.Decoder
	decisions *prometheus.CounterVec
	bypasses  *prometheus.CounterVec
}

// SetupWithManager registers h at Path of mgr's webhook server, and its metrics.
// The webhook runs on every replica, leader or not.
func (h *Handler) SetupWithManager(mgr ctrl.Manager) error {
	if h.Registerer == nil {
		h.Registerer = metrics.Registry
	}
	if err := h.setup(admission.NewDecoder(mgr.GetScheme())); err != nil {
		return err
	}
	mgr.GetWebhookServer().Register(Path, &admission.Webhook{Handler: h})
	return nil
}

func (h *Handler) setup(decoder admission.Decoder) error {
	h.decoder = decoder
	h.decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headgate_webhook_decisions_total",
		Help: "Writes to opted-in Deployments, by decision, without dry runs.",
	}, []string{"decision"})
	h.bypasses = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "headgate_bypass_total",
		Help: "New templates that were admitted without a canary, by reason.",
	}, []string{"reason"})
	// The increase of a counter that begins at 1 is 0: the first bypass would raise no alert.
	for _, why := range []reason.Reason{reason.ScaledToZero, reason.RecreateNotSupported, reason.OptedOut} {
		h.bypasses.WithLabelValues(string(why))
	}
	for _, c := range []prometheus.Collector{h.decisions, h.bypasses} {
		if err := h.Registerer.Register(c); err != nil {
			return fmt.Errorf("register the webhook's metrics: %w", err)
		}
	}
	return nil
}

// Handle implements admission.Handler. It allows subresources (scale, status) and
// other operations unseen: the chart sends none, a hand-made webhook configuration
// may.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.SubResource != "" || req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	r, err := h.readRequest(req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	out := Mutate(r)
	if req.DryRun == nil || !*req.DryRun {
		h.record(ctx, out)
	}
	return respond(r, out)
}

func (h *Handler) readRequest(req admission.Request) (Request, error) {
	r := Request{
		New:           &appsv1.Deployment{},
		ByManager:     req.UserInfo.Username == h.Manager,
		CheckAnalysis: h.CheckAnalysis,
		CheckGates:    h.CheckGates,
	}
	if err := h.decoder.DecodeRaw(req.Object, r.New); err != nil {
		return Request{}, fmt.Errorf("decode object: %w", err)
	}
	if req.Operation == admissionv1.Update {
		r.Old = &appsv1.Deployment{}
		if err := h.decoder.DecodeRaw(req.OldObject, r.Old); err != nil {
			return Request{}, fmt.Errorf("decode oldObject: %w", err)
		}
		var err error
		if r.OldTemplate, err = templateIn(req.OldObject.Raw); err != nil {
			return Request{}, fmt.Errorf("decode oldObject: %w", err)
		}
		if r.NewTemplate, err = templateIn(req.Object.Raw); err != nil {
			return Request{}, fmt.Errorf("decode object: %w", err)
		}
	}
	return r, nil
}

// record counts and logs what Mutate decided. The API server may call twice for
// one write (see Mutate), and then both calls count.
func (h *Handler) record(ctx context.Context, out Outcome) {
	h.decisions.WithLabelValues(string(out.Decision)).Inc()
	if out.Bypass != "" {
		h.bypasses.WithLabelValues(string(out.Bypass)).Inc()
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

// respond returns the decision as an admission response. The patch is the
// difference between r.New and out.Deployment, both encoded from the same Go type.
// A difference against the bytes that the API server sent would delete every field
// that is newer than this program's API types.
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
