package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds an answer in bytes, so that no answer fills the memory of the manager.
const maxBody = 4 << 20

// maxShown bounds how much of a provider's own error text is shown.
const maxShown = 300

// limited bounds the body of every answer.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err == nil {
		resp.Body = &limitedBody{body: resp.Body, left: maxBody}
	}
	return resp, err
}

type limitedBody struct {
	body io.ReadCloser
	left int
}

func (l *limitedBody) Read(p []byte) (int, error) {
	n, err := l.body.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

func (l *limitedBody) Close() error { return l.body.Close() }

// ErrTooLarge is the error of an answer that is too large: a smaller question may have one.
var ErrTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

// Request is one HTTP request below the address of a provider.
type Request struct {
	Method string // "": GET
	Path   string // with a slash at its beginning, not escaped
	Query  url.Values
	Body   []byte
	Header http.Header
}

// Response is the answer to a Request.
type Response struct {
	Status int
	Body   []byte
}

// Send sends r and reads the whole answer, whatever its status. A redirect that the client
// does not follow is an error.
func (c *Client) Send(ctx context.Context, r Request) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	address := *c.Address
	address.Path += r.Path
	address.RawQuery = r.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.Method, address.String(), bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, errors.New("the address is not valid")
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return Response{}, Explain(err, c.Timeout)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Response{}, Explain(err, c.Timeout)
	}
	if resp.StatusCode/100 == 3 {
		return Response{}, fmt.Errorf("it answered %d, a redirect, which is not followed", resp.StatusCode)
	}
	return Response{Status: resp.StatusCode, Body: body}, nil
}

// Failed returns nil for a status of 2xx, else an error with what said extracts of the
// body. 400, 404 and 422 are the fault of the query where said has found a reason.
func (r Response) Failed(said string) error {
	if r.Status/100 == 2 {
		return nil
	}
	text := fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	switch r.Status {
	case http.StatusTooManyRequests:
		return errors.New("it has had too many requests (429): ask it less often with a longer interval")
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("it refuses Headgate's credentials (%s)", text)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		if said != "" {
			return Faultf("is refused: %s", Shorten(said))
		}
	}
	if said != "" {
		text += ": " + Shorten(said)
	}
	return errors.New("it answered " + text)
}

// Decode decodes the body as JSON.
func (r Response) Decode(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return errors.New("its answer is not the JSON that its API documents")
	}
	return nil
}

// Shorten cuts text, which a provider wrote, so that a message stays short.
func Shorten(text string) string { return fmt.Sprintf("%.*s", maxShown, text) }

// Explain reduces err to its cause. It leaves out what differs from one attempt to the
// next, such as the local port: the message of a condition must not change while
// nothing happens. It leaves out the URL, too.
func Explain(err error, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timed out after %s", timeout)
	}
	if errors.Is(err, ErrTooLarge) {
		return ErrTooLarge
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return errors.New("its certificate has expired or is not valid yet")
	}
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%.*s", maxShown, unverified.Err)
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return file // a credential that cannot be read
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return err
}
