package gitops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// engine is the running program. It ends with this process, because its stdin does.
type engine struct {
	requests io.Writer

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
}

// The types below are those of test/lab/build/argocd, which is a module of its own.
type request struct {
	ID      int            `json:"id"`
	App     application    `json:"app"`
	Compare *compareInput  `json:"compare,omitempty"`
	Sync    *syncInput     `json:"sync,omitempty"`
	Action  *actionRequest `json:"action,omitempty"`
}

type application struct {
	Name        string           `json:"name"`
	Namespace   string           `json:"namespace"`
	SyncOptions []string         `json:"syncOptions,omitempty"`
	Ignored     []ignored        `json:"ignoreDifferences,omitempty"`
	Manifests   []map[string]any `json:"manifests"`
}

type ignored struct {
	Group        string   `json:"group"`
	Kind         string   `json:"kind"`
	JSONPointers []string `json:"jsonPointers"`
}

type compareInput struct {
	Modes []string `json:"modes"`
}

type syncInput struct {
	Prune     bool       `json:"prune"`
	Terminate bool       `json:"terminate,omitempty"`
	Operation *operation `json:"operation,omitempty"`
}

type actionRequest struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Press     string `json:"press,omitempty"`
}

type answer struct {
	ID      int            `json:"id"`
	Error   string         `json:"error"`
	Compare []comparison   `json:"compare"`
	Sync    *operation     `json:"sync"`
	Action  *actionOutcome `json:"action"`
}

type comparison struct {
	Mode      string            `json:"mode"`
	Status    string            `json:"status"`
	Error     string            `json:"error"`
	Health    string            `json:"health"`
	Resources []resource        `json:"resources"`
	Children  map[string]string `json:"children"`
}

type resource struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Status   string `json:"status"`
	Prune    bool   `json:"prune"`
	Health   string `json:"health"`
	Message  string `json:"message"`
	BuiltIn  string `json:"builtIn"`
	Live     string `json:"live"`
	Expected string `json:"expected"`
}

type operation struct {
	Phase     string          `json:"phase"`
	Message   string          `json:"message"`
	StartedAt string          `json:"startedAt"`
	Results   json.RawMessage `json:"results"`
}

type actionOutcome struct {
	Buttons map[string]bool `json:"buttons"`
	Patch   string          `json:"patch"`
}

// The diff modes of Argo CD.
const (
	legacy      = "legacy"
	serverSide  = "server-side"
	withWebhook = "mutation-webhook"
)

var diffModes = []string{legacy, serverSide, withWebhook}

func startEngine(program, kubeconfig, namespace, log string) (*engine, error) {
	cmd := exec.Command(program, "-kubeconfig", kubeconfig, "-namespace", namespace)
	stderr, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		return nil, fmt.Errorf("start argocd-engine: %w", err)
	}
	e := &engine{requests: in, waiting: map[int]chan answer{}}
	go e.read(out)
	return e, nil
}

// read passes answers on until the program ends. Whoever still waits then gets an error.
func (e *engine) read(out io.Reader) {
	answers := json.NewDecoder(out)
	answers.DisallowUnknownFields()
	for {
		var a answer
		err := answers.Decode(&a)
		e.mu.Lock()
		if err != nil {
			for id, waiting := range e.waiting {
				waiting <- answer{ID: id, Error: fmt.Sprintf("argocd-engine ended, see argocd-engine.log: %v", err)}
			}
			e.waiting = nil
			e.mu.Unlock()
			return
		}
		e.waiting[a.ID] <- a
		delete(e.waiting, a.ID)
		e.mu.Unlock()
	}
}

func (e *engine) ask(ctx context.Context, r request) (answer, error) {
	reply := make(chan answer, 1)
	if err := e.send(r, reply); err != nil {
		return answer{}, err
	}
	select {
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	case a := <-reply:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	}
}

func (e *engine) send(r request, reply chan answer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		return errors.New("argocd-engine has ended, see argocd-engine.log")
	}
	e.last++
	r.ID = e.last
	e.waiting[r.ID] = reply
	return json.NewEncoder(e.requests).Encode(r)
}
