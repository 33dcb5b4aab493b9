package smoke

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/node"
)

func TestRun(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(app.VersionHeader, "v2")
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()
	for sentence, c := range map[string]struct {
		args []string
		env  map[string]string
		want string // error, with SERVER for the server's address; "" is success

		wrote string // the termination message
	}{
		"any good answer will do":      {args: []string{server.URL}},
		"the URL may be in a variable": {env: map[string]string{"URL": server.URL}},
		"the version is as expected":   {args: []string{server.URL}, env: map[string]string{"EXPECT_VERSION": "v2"}},
		"another version fails": {
			args: []string{server.URL}, env: map[string]string{"EXPECT_VERSION": "v1"},
			want: `SERVER is version "v2", want "v1"`,
		},
		"the body has the expected part": {args: []string{server.URL}, env: map[string]string{"EXPECT_BODY": "ell"}},
		"another body fails": {
			args: []string{server.URL}, env: map[string]string{"EXPECT_BODY": "bye"},
			want: `SERVER answered "hello", want a body with "bye"`,
		},
		"an error fails": {
			args: []string{server.URL + "/broken"},
			want: "SERVER/broken answered 500 Internal Server Error, want a 2xx status",
		},
		"a failure has no score": {
			args: []string{server.URL + "/broken"}, env: map[string]string{"SCORE": "0.93"},
			want: "SERVER/broken answered 500 Internal Server Error, want a 2xx status",
		},
		"a score is written": {args: []string{server.URL}, env: map[string]string{"SCORE": "0.93"}, wrote: "0.93\n"},
		"a delay that does not parse is refused": {
			args: []string{server.URL}, env: map[string]string{"DELAY": "soon"},
			want: `DELAY: invalid value "soon": write it like "5s"`,
		},
		"no URL is refused": {want: `no URL: give one as the argument or in URL, like "http://web.shop.svc/"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			message := filepath.Join(t.TempDir(), "message")
			t.Setenv(node.MessageVariable, message)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			got := ""
			if err := run(c.args); err != nil {
				got = strings.ReplaceAll(err.Error(), server.URL, "SERVER")
			}
			if got != c.want {
				t.Errorf("error %q, want %q", got, c.want)
			}
			if wrote, err := os.ReadFile(message); string(wrote) != c.wrote || (err == nil) != (c.wrote != "") {
				t.Errorf("wrote %q, %v; want %q", wrote, err, c.wrote)
			}
		})
	}
}
