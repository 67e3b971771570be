upstream nextcloud {
    server 127.0.0.1:8083;
    keepalive 16;
}

server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name cloud.example.com;
    include snippets/wildcard.conf;
    client_max_body_size 10G;
    location = /.well-known/carddav { return 301 /remote.php/dav; }
    location / {
        proxy_request_buffering off;
        proxy_pass http://nextcloud;
        include snippets/headers.conf;
    }
}
