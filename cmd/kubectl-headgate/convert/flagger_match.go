package convert

import "regexp"

// inIstiosCookie finds the name in a regular expression for a whole Cookie header, as A/B tests with Istio have it.
var inIstiosCookie = regexp.MustCompile(`\(?([A-Za-z0-9_-]+)=always\)?`)

// flaggerMatch reads which requests go to the canary in an A/B test: one header and one cookie.
func (c *conversion) flaggerMatch(list field) {
	header, cookie := false, false
	for _, item := range list.items() {
		for _, e := range item.at("headers").entries() {
			switch {
			case e.key == "cookie" && !cookie:
				cookie = c.flaggerCookie(e.field)
			case e.key != "cookie" && !header:
				header = c.flaggerHeader(e)
			default:
				e.lost("a canary Ingress matches one header and one cookie")
			}
		}
		for _, e := range item.entries() {
			if e.key != "headers" {
				e.lost("a canary Ingress matches headers and cookies only")
			}
		}
	}
}

func (c *conversion) flaggerHeader(e entry) bool {
	word := "header=" + e.key
	exact, pattern, prefix, suffix := e.at("exact"), e.at("regex"), e.at("prefix"), e.at("suffix")
	switch {
	case exact.there():
		word += ":" + exact.text()
	case pattern.there():
		word += "~" + pattern.text()
	case prefix.there():
		word += "~^" + regexp.QuoteMeta(prefix.text()) + ".*"
	case suffix.there():
		word += "~.*" + regexp.QuoteMeta(suffix.text()) + "$"
	}
	return c.step(e.field, word)
}

func (c *conversion) flaggerCookie(f field) bool {
	name := f.at("exact").text()
	if m := inIstiosCookie.FindStringSubmatch(f.at("regex").text()); name == "" && m != nil {
		name = m[1]
		f.note(Changed, "the router reads the cookie %s: always goes to the canary, never to stable", name)
	}
	return c.step(f, "cookie="+name)
}
