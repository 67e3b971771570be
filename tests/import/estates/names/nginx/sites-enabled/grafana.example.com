server {
  listen 443 ssl;
  listen [::]:443 ssl;
  server_name grafana.example.com;
  ssl_certificate /etc/letsencrypt/live/grafana.example.com/fullchain.pem;
  ssl_certificate_key /etc/letsencrypt/live/grafana.example.com/privkey.pem;
  location / {
    proxy_pass http://127.0.0.1:3000/;
    include /etc/nginx/snippets/headers.conf;
  }
  location /api/live/ {
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
    proxy_pass http://127.0.0.1:3000;
  }
}
