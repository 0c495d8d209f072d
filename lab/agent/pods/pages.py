"""Files of the nginx image."""

from __future__ import annotations

from pathlib import Path

_LISTEN6 = "listen [::]:80 backlog=4096;" if Path("/proc/net/if_inet6").exists() else ""
"""As the official image's start does it: on IPv6 too wherever the kernel has that."""

NGINX_PAGE = """\
<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page was served by a pod of the lab. Its service has an address
routers learn by BGP; eBPF programs led to it.</p>

<p>Which pod was it? On k8s-control the flow log can tell:
<code>hubble observe --follow</code>.<br/>
The next answer may come from another pod of the
<a href="http://172.16.10.0/">service</a>.</p>

<p><em>Enjoy this lab.</em></p>
</body>
</html>
"""
"""As long as the page of the official image, 615 bytes: what the article's curl shows."""

NGINX_CONF = f"""\
# One worker: it starts in milliseconds. A master beside it, because only with one does SIGQUIT
# let requests end.
daemon off;
worker_processes 1;
user root;
error_log stderr warn;
pid /run/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout;
    sendfile on;
    keepalive_timeout 65;
    client_body_temp_path /run/nginx-body;
    proxy_temp_path /run/nginx-proxy;
    fastcgi_temp_path /run/nginx-fastcgi;
    uwsgi_temp_path /run/nginx-uwsgi;
    scgi_temp_path /run/nginx-scgi;
    server {{
        listen 80 backlog=4096;
        {_LISTEN6}
        location / {{
            root /usr/share/nginx/html;
            index index.html;
        }}
    }}
}}
"""
