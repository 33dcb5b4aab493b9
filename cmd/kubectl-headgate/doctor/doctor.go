// Package doctor finds what in a cluster would keep a rollout from working: the managers,
// admission, metrics, routers, permissions, clocks, and the Deployments themselves. It reads
// with the rights of the person who asks; what these do not allow is not checked, and it
// says so. The only write that it asks for is a dry run.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	admissionv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	authv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	autoscalingv2 "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	batchv1 "k8s.io/client-go/kubernetes/typed/batch/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	netv1 "k8s.io/client-go/kubernetes/typed/networking/v1"
	policyv1 "k8s.io/client-go/kubernetes/typed/policy/v1"
)

// Schema names the form of the checks in JSON.
const Schema = "headgate.dev/doctor/v1"

// Cluster is how to ask the API server.
type Cluster struct {
	Admission admissionv1.AdmissionregistrationV1Interface
	Apps      appsv1.AppsV1Interface
	Auth      authv1.AuthorizationV1Interface
	Batch     batchv1.BatchV1Interface
	Core      corev1.CoreV1Interface
	Leases    coordinationv1.CoordinationV1Interface
	Network   netv1.NetworkingV1Interface
	Policy    policyv1.PolicyV1Interface
	Scaling   autoscalingv2.AutoscalingV2Interface

	// Get asks the API server for a path. Of the answer only the header is used, if it is no
	// error: the body is closed by then.
	Get func(ctx context.Context, path string) (status int, header http.Header, body []byte, err error)
}

// Level is how good or bad what was found is.
type Level string

// The levels.
const (
	OK         Level = "ok"
	Warning    Level = "warning"     // a rollout works, and something is not as it should be
	Error      Level = "error"       // no rollout works, or that of this Deployment does not
	NotChecked Level = "not checked" // for want of rights, or because nobody here can know
)

// Check is one thing that was looked at.
type Check struct {
	Level   Level  `json:"level"`
	Name    string `json:"check"`
	Message string `json:"message"`
	Do      string `json:"do,omitempty"` // what to do about it
}

// Options say what to look at besides the installation.
type Options struct {
	Namespace  string
	Deployment string // "": every one of the namespace that is opted in
	Now        time.Time
}

// Run makes all checks, in an order in which an earlier one explains a later one.
func Run(ctx context.Context, c Cluster, o Options) []Check {
	e := &examination{Cluster: c, Options: o, ctx: ctx}
	if !e.server() {
		return e.checks
	}
	e.findInstallations()
	for _, i := range e.installations {
		e.managers(i)
		e.leader(i)
		e.admission(i)
		e.prometheus(i)
		e.classes(i)
		e.managerRights(i)
	}
	e.ownRights()
	if i := e.responsible(); i != nil {
		e.answers(i)
		e.namespace(i)
		e.deployments(i)
	}
	return e.checks
}

// Worst is the worst level of checks, where not checked counts as ok.
func Worst(checks []Check) Level {
	worst := OK
	for _, c := range checks {
		if c.Level == Error || c.Level == Warning && worst == OK {
			worst = c.Level
		}
	}
	return worst
}

// examination collects checks.
type examination struct {
	Cluster
	Options
	ctx           context.Context
	checks        []Check
	serverTime    time.Time // zero: unknown
	installations []*installation
	unseen        bool // the managers may not be read
}

func (e *examination) add(level Level, name, do, format string, args ...any) {
	e.checks = append(e.checks, Check{Level: level, Name: name, Message: fmt.Sprintf(format, args...), Do: do})
}

func (e *examination) ok(name, format string, args ...any) { e.add(OK, name, "", format, args...) }

// unread says that something was not checked because err kept it from being read.
func (e *examination) unread(name, what string, err error) {
	e.add(NotChecked, name, "", "%s: %s", what, why(err))
}

// why is err in a few words.
func why(err error) string {
	switch {
	case apierrors.IsForbidden(err):
		return "you may not read it"
	case apierrors.IsUnauthorized(err):
		return "the cluster does not know you"
	case errors.Is(err, context.DeadlineExceeded):
		return "the API server did not answer in time"
	}
	return err.Error()
}
