#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Servers for one app as somebody would tune them by hand who only wants requests per second: no slots, no sandbox, nothing that
# lets a release go out without a failed request. nginx keeps its connections where it can: a process of uWSGI serves one
# connection until that ends, and with kept ones others would starve. By Debian's proxy_params an app knows its host, its scheme
# and its visitor.
#
#   tuned.sh CODE
#
# 8101 uWSGI with its own protocol, 8102 uWSGI with HTTP, 8103 gunicorn sync, 8104 gunicorn gthread with kept connections.
set -eu
code=$1
python3 -m venv /opt/tuned
/opt/tuned/bin/pip install -qq gunicorn
useradd --system --no-create-home --shell /usr/sbin/nologin tuned

unit() {
    cat >"/etc/systemd/system/tuned-$1.service" <<END
[Service]
User=tuned
Group=www-data
UMask=0007
RuntimeDirectory=tuned-$1
WorkingDirectory=$code
ExecStart=$2

[Install]
WantedBy=multi-user.target
END
}
uwsgi="/usr/bin/uwsgi-core --plugin python3 --master --processes 2 --listen 1024 --disable-logging --module app:app --die-on-term"
gunicorn="/opt/tuned/bin/gunicorn --workers 2 --backlog 1024 app:app"
unit uwsgi "$uwsgi --socket /run/tuned-uwsgi/app.sock --chmod-socket=660"
unit http "$uwsgi --http-socket /run/tuned-http/app.sock --chmod-socket=660"
unit sync "$gunicorn --bind unix:/run/tuned-sync/app.sock"
unit gthread "$gunicorn --bind unix:/run/tuned-gthread/app.sock --threads 4 --keep-alive 65"
systemctl daemon-reload
systemctl enable --quiet --now tuned-uwsgi tuned-http tuned-sync tuned-gthread

cat >/etc/nginx/conf.d/tuned.conf <<END
upstream tuned-gthread { server unix:/run/tuned-gthread/app.sock; keepalive 32; }
server { listen 8101; location / { include uwsgi_params; uwsgi_pass unix:/run/tuned-uwsgi/app.sock; } }
server { listen 8102; location / { include proxy_params; proxy_pass http://unix:/run/tuned-http/app.sock:/; } }
server { listen 8103; location / { include proxy_params; proxy_pass http://unix:/run/tuned-sync/app.sock:/; } }
server {
    listen 8104;
    location / {
        include proxy_params;
        proxy_pass http://tuned-gthread;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
}
END
nginx -t -q
systemctl reload nginx
