package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Compact makes etcd forget every state but the present one.
func (c *ControlPlane) Compact(ctx context.Context) error {
	var now struct {
		Header struct{ Revision string }
	}
	// The key "k" does not exist: the answer has a header all the same.
	if err := askEtcd(ctx, "/v3/kv/range", map[string]any{"key": []byte("k")}, &now); err != nil {
		return fmt.Errorf("compact etcd: %w", err)
	}
	err := askEtcd(ctx, "/v3/kv/compaction", map[string]any{"revision": now.Header.Revision, "physical": true}, &struct{}{})
	if err != nil {
		return fmt.Errorf("compact etcd at revision %s: %w", now.Header.Revision, err)
	}
	return nil
}

// askEtcd uses the JSON form of etcd's gRPC API.
func askEtcd(ctx context.Context, path string, question map[string]any, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, etcdURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s to %s", res.Status, path)
	}
	return json.NewDecoder(res.Body).Decode(answer)
}
