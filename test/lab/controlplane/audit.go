package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"
)

const auditLog = "audit.log"

// Write is one write request that the API server has answered.
type Write struct {
	Time        time.Time
	User        string // "system:serviceaccount:NAMESPACE:NAME" for a ServiceAccount
	Verb        string // create, update, patch, delete, deletecollection
	Resource    string // plural: "deployments"
	Subresource string // "status", "scale"; "" for the object itself
	Namespace   string
	Name        string
	Code        int  // HTTP status of the answer
	DryRun      bool // the request asked to store nothing
}

// Writes lists the write requests of user so far, oldest first; of everybody for "".
// A write that found nothing to change is a request too and is listed.
func (c *ControlPlane) Writes(user string) ([]Write, error) {
	f, err := os.Open(c.file(auditLog))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer f.Close()
	var writes []Write
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return writes, nil // a line still being written is not answered yet
		}
		if err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		w, err := parseWrite(line)
		if err != nil {
			return nil, err
		}
		if user == "" || w.User == user {
			writes = append(writes, w)
		}
	}
}

// auditEvent is the part of audit.k8s.io/v1 Event that Write needs.
type auditEvent struct {
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	StageTimestamp time.Time `json:"stageTimestamp"`
}

func parseWrite(line []byte) (Write, error) {
	var e auditEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return Write{}, fmt.Errorf("read audit log line %q: %w", line, err)
	}
	uri, err := url.Parse(e.RequestURI)
	if err != nil {
		return Write{}, fmt.Errorf("read audit log: request %q: %w", e.RequestURI, err)
	}
	return Write{
		Time: e.StageTimestamp, User: e.User.Username, Verb: e.Verb,
		Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
		Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name,
		Code: e.ResponseStatus.Code, DryRun: uri.Query().Has("dryRun"),
	}, nil
}
