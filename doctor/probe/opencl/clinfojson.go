package opencl

import (
	"encoding/json"
	"strconv"
	"strings"
)

// parseJSON reads clinfo --json (since 3.0.23), also with --list, where names
// stand in the place of objects. It reports false for anything else.
func parseJSON(text string) (Info, bool) {
	at := strings.IndexByte(text, '{')
	if at < 0 || !strings.HasPrefix(strings.TrimLeft(text[at+1:], " \t\r\n"), `"platforms"`) {
		return Info{}, false
	}
	var doc struct {
		Platforms []any `json:"platforms"`
		Devices   []struct {
			Online []any `json:"online"`
		} `json:"devices"`
		Loader map[string]any `json:"icd_loader"`
	}
	// What follows, a prompt say, does not matter.
	d := json.NewDecoder(strings.NewReader(text[at:]))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return Info{}, false
	}
	p := parser{info: Info{Claimed: len(doc.Platforms)}, at: -1}
	for i, entry := range doc.Platforms {
		if i == maxPlatforms {
			break
		}
		name, fields := object(entry, "CL_PLATFORM_NAME")
		p.inDevices = false
		p.platform(name)
		p.fields(fields)
		if i >= len(doc.Devices) {
			continue
		}
		p.info.Platforms[p.at].Claimed = len(doc.Devices[i].Online)
		p.inDevices = true
		for _, entry := range doc.Devices[i].Online {
			name, fields := object(entry, "CL_DEVICE_NAME")
			if p.device(name) != nil {
				p.fields(fields)
			}
		}
	}
	p.fields(doc.Loader)
	return p.info, true
}

// object gives an entry's name and its other fields.
func object(entry any, key string) (string, map[string]any) {
	switch e := entry.(type) {
	case string:
		return strings.TrimSpace(e), nil
	case map[string]any:
		name, _ := e[key].(string)
		if refused().MatchString(name) {
			name = ""
		}
		return strings.TrimSpace(name), e
	}
	return "", nil
}

func (p *parser) fields(fields map[string]any) {
	for key, v := range fields {
		name, ok := labels[strings.ToLower(key)]
		if !ok || name == "platform" || name == "device" {
			continue
		}
		var value string
		switch v := v.(type) {
		case string:
			value = strings.TrimSpace(v)
		case json.Number:
			value = v.String()
		case bool:
			value = strconv.Itoa(map[bool]int{true: 1}[v]) // "available" knows 0
		case map[string]any: // { "raw" : 4, "type" : [ "GPU" ] }
			var names []string
			if list, ok := v["type"].([]any); ok {
				for _, e := range list {
					if s, ok := e.(string); ok {
						names = append(names, s)
					}
				}
			}
			value = strings.Join(names, " | ")
		}
		if value == "" || refused().MatchString(value) {
			continue
		}
		if name == "type" {
			if d := p.last(); d != nil {
				set(&d.Type, deviceType(value))
			}
			continue
		}
		p.take(name, value)
	}
}
